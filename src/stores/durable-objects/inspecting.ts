import { invalidOption } from '../../core/errors.ts'
import type { InspectedRecord, Inspection, InspectPage, InspectQuery } from '../../core/store.ts'
import { bodyBytes, bounds } from '../remote/inspecting.ts'
import type { RecordObjects } from './objects.ts'

export function inspectObjects(objects: RecordObjects, assertOpen: () => void): Inspection {
  return {
    async list(query) {
      assertOpen()
      return listPage(objects, query)
    },
    async get(id) {
      assertOpen()
      return objects.ask<'get'>(objects.indexOf(id), { verb: 'get', id })
    },
    async forget(id) {
      assertOpen()
      return objects.ask<'forget'>(objects.indexOf(id), { verb: 'forget', id })
    },
    async settle(id, resolution) {
      assertOpen()
      return objects.ask<'settle'>(objects.indexOf(id), { verb: 'settle', id, resolution })
    },
  }
}

/** One object after the other. A page may end early, where its bodies are large. */
async function listPage(objects: RecordObjects, query: InspectQuery): Promise<InspectPage> {
  const records: InspectedRecord[] = []
  let bytesLeft = bounds.bodyBytes
  let { index, cursor } = positionOf(query, objects.count)
  while (index < objects.count) {
    if (records.length > 0 && (records.length >= query.limit || bytesLeft <= 0)) {
      return { records, cursor: cursorOf(index, cursor) }
    }
    const { states, limit } = query
    const page = await objects.ask<'list'>(index, {
      verb: 'list',
      query: {
        limit: limit - records.length,
        ...(states && { states }),
        ...(cursor !== undefined && { cursor }),
      },
    })
    records.push(...page.records)
    bytesLeft -= page.records.reduce((sum, record) => sum + bodyBytes(record), 0)
    cursor = page.cursor
    if (cursor === undefined) index += 1
  }
  return { records }
}

function cursorOf(index: number, cursor = ''): string {
  return `${index}.${cursor}`
}

function positionOf({ cursor }: InspectQuery, count: number): { index: number; cursor: string | undefined } {
  if (cursor === undefined) return { index: 0, cursor: undefined }
  const [, index = '', inner = ''] = /^(\d{1,6})\.([\w-]*)$/.exec(cursor) ?? []
  if (index === '' || Number(index) >= count) {
    throw invalidOption('cursor', 'the cursor of an earlier page', cursor)
  }
  return { index: Number(index), cursor: inner === '' ? undefined : inner }
}
