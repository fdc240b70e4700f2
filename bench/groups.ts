/** The tables of `npm run bench`, in the order in which they are made. */
export const groupNames = [
  'stores',
  'frameworks',
  'peers',
  'embedded',
  'bodies',
  'duplicates',
  'leases',
  'records',
  'import',
] as const

export type GroupName = (typeof groupNames)[number]

/** Those that measure variants beside their floors, all under the same load. */
export const besideFloors = [
  'stores',
  'frameworks',
  'peers',
  'embedded',
] as const satisfies readonly GroupName[]
