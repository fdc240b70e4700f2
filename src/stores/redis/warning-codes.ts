/** Settings of a server that can lose records. Each is reported once; silence one by its code. */
export const redisWarningCodes = ['redis-version', 'redis-evicts', 'redis-not-persistent'] as const

export type RedisWarningCode = (typeof redisWarningCodes)[number]
