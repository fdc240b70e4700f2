import type { AnyTRPCRouter } from '@trpc/server'

/** True where every procedure that a path names (`/order.list`, or a batch: `/order.list,user.me`) is a query. */
export function onlyQueries(router: AnyTRPCRouter, path: string): boolean {
  const names = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)).split(',')
  return names.every((name) => router._def.procedures[name]?._def.type === 'query')
}
