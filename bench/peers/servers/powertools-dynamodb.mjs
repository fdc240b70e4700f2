import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb'
import { serve } from './powertools-handler.mjs'
import { dynamodb, table } from './dynamodb-client.mjs'

serve(new DynamoDBPersistenceLayer({ tableName: table, awsSdkV3Client: dynamodb }))
