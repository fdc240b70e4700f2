import { createHash } from 'node:crypto'
import { abandonSql, releaseSql } from './statements/release.ts'
import { claimAllSql, claimSql, reclaimSql } from './statements/claim.ts'
import { completeAllSql, completeSql, recompleteSql } from './statements/complete.ts'
import { forgetSql, readSql, headsSql, settleSql } from './statements/inspect.ts'
import { reapSql } from './statements/reap.ts'
import { reassertSql, renewSql } from './statements/renew.ts'
import { stepSql } from './statements/step.ts'
import { markSql, notifySql, stampsSql } from './statements/watch.ts'

export interface Statement {
  readonly text: string
  /** A name under which to prepare it: the same text has the same name, in every release. */
  readonly name?: string
  /** May take longer than a connection is given to answer. */
  readonly isSlow?: boolean
}

export interface Statements {
  readonly claim: Statement
  readonly claimAll: Statement
  readonly reclaim: Statement
  readonly complete: Statement
  readonly completeAll: Statement
  readonly recomplete: Statement
  readonly renew: Statement
  readonly reassert: Statement
  readonly release: Statement
  readonly step: Statement
  readonly abandon: Statement
  readonly read: Statement
  readonly heads: Statement
  readonly settle: Statement
  readonly forget: Statement
  readonly reap: Statement
  readonly mark: Statement
  readonly stamps: Statement
  readonly notify: Statement
}

/**
 * Every statement of the store. Each is one transaction, and each takes what it needs as one JSON text ($1) and,
 * where there is one, the body ($2): all drivers pass these alike.
 *
 * The rules are those of core/transitions.ts. The statement decides about a write, on the row that it has locked. What
 * else a verb has to tell, it reads in the row as it was when the statement began, and the pure rules decide.
 */
export function statementsFor(schema: string): Statements {
  const records = `${quoteIdentifier(schema)}.hapax_record`
  return {
    claim: prepared(claimSql(records)),
    claimAll: prepared(claimAllSql(records)),
    reclaim: prepared(reclaimSql(records)),
    complete: prepared(completeSql(records)),
    completeAll: prepared(completeAllSql(records)),
    recomplete: prepared(recompleteSql(records)),
    renew: prepared(renewSql(records)),
    reassert: prepared(reassertSql(records)),
    release: prepared(releaseSql(records)),
    step: prepared(stepSql(records)),
    abandon: prepared(abandonSql(records)),
    read: prepared(readSql(records)),
    heads: prepared(headsSql(records)),
    settle: prepared(settleSql(records)),
    forget: prepared(forgetSql(records)),
    reap: { ...prepared(reapSql(records)), isSlow: true },
    mark: prepared(markSql(records)),
    stamps: prepared(stampsSql(records)),
    notify: prepared(notifySql),
  }
}

/** Behind a pooler two releases may meet one server connection: a name must never stand for another's text. */
function prepared(text: string): Statement {
  return { text, name: `hapax_${createHash('sha256').update(text).digest('hex').slice(0, 24)}` }
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quoteLiteral(text: string): string {
  // Without a backslash a literal means the same whatever standard_conforming_strings is.
  if (text.includes('\\')) return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
  return `'${text.replaceAll("'", "''")}'`
}
