interface Transaction {
  $queryRawUnsafe<Rows>(text: string, ...values: unknown[]): PromiseLike<Rows>
}

/** A transaction of Prisma on Postgres, as `within` takes it. */
export function prismaPostgres(tx: Transaction) {
  return {
    query: async (text: string, values: unknown[] = []) => {
      try {
        return await tx.$queryRawUnsafe<unknown[]>(text, ...values)
      } catch (error) {
        // Prisma hides the driver's error, and what the journal must know of it, below "meta".
        const { meta } = error as { meta?: { driverAdapterError?: unknown } }
        throw meta?.driverAdapterError ?? error
      }
    },
  }
}
