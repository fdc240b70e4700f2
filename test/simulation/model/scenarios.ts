import type { Budget, Part, Program, Scenario } from './world.ts'

const noFaults: Budget = {
  crash: 0,
  beat: 0,
  duplicate: 0,
  lapse: 0,
  expire: 0,
  clockBack: 0,
  forget: 0,
  settle: 0,
}

/** Small worlds, each explored whole. Together they reach every rule with every fault that bears on it. */
export const scenarios: readonly Scenario[] = [
  scenario('two duplicates, refuse', two(part('refuse')), { lapse: 2, crash: 1, beat: 1, clockBack: 1 }),
  scenario('two duplicates, refuse, messages twice', two(part('refuse')), {
    lapse: 1,
    duplicate: 2,
    beat: 1,
  }),
  scenario('three duplicates, refuse', three(part('refuse')), { lapse: 1 }),
  scenario('two duplicates, rerun', two(part('rerun')), { lapse: 2, crash: 1, beat: 1 }),
  scenario('two duplicates, rerun, messages twice', two(part('rerun')), { lapse: 1, duplicate: 1, beat: 1 }),
  scenario('three duplicates, rerun', three(part('rerun')), { lapse: 1 }),
  scenario('two duplicates, reconcile', two(part('reconcile')), { lapse: 1, crash: 1, beat: 1 }),
  scenario('two duplicates, reconcile, messages twice', two(part('reconcile')), { lapse: 1, duplicate: 1 }),
  scenario('a rolling deploy to rerun', [part('refuse'), part('rerun')], { lapse: 2, beat: 1, duplicate: 1 }),
  scenario('a rolling deploy to reconcile', [part('refuse'), part('reconcile')], {
    lapse: 2,
    crash: 1,
    beat: 1,
  }),
  scenario('reconcile meets rerun', [part('reconcile'), part('rerun')], { lapse: 2, beat: 1 }),
  scenario('two requests under one key', [part('rerun'), part('rerun', 'pays', 'other')], {
    lapse: 2,
    beat: 1,
    duplicate: 1,
  }),
  scenario('two requests, one turned away', [part('refuse', 'turns-away'), part('refuse', 'pays', 'other')], {
    lapse: 1,
    duplicate: 1,
    beat: 1,
  }),
  scenario('a turned-away request and its retry', [part('refuse', 'turns-away'), part('refuse')], {
    lapse: 1,
    duplicate: 1,
    beat: 1,
  }),
  scenario('a failure and its retry, refuse', [part('refuse', 'pays-then-fails'), part('refuse')], {
    lapse: 2,
    duplicate: 1,
    beat: 1,
  }),
  scenario('a failure and its retry, rerun', [part('rerun', 'pays-then-fails'), part('rerun')], {
    lapse: 1,
    duplicate: 1,
    beat: 1,
  }),
  scenario('a failure and its retry, reconcile', [part('reconcile', 'pays-then-fails'), part('reconcile')], {
    lapse: 1,
    beat: 1,
  }),
  scenario('a store that forgets', two(part('refuse')), { lapse: 1, forget: 1, beat: 1 }),
  scenario('a store that forgets, rerun', two(part('rerun')), { lapse: 1, forget: 1, beat: 1 }),
  scenario('a key that expires', two(part('refuse')), { lapse: 1, expire: 1, beat: 1 }),
  {
    ...scenario('an operator releases', two(part('refuse')), { lapse: 1, settle: 1, beat: 1 }),
    settlement: 'release',
  },
  {
    ...scenario('an operator answers', two(part('refuse')), { lapse: 1, settle: 1, beat: 1 }),
    settlement: 'response',
  },
  {
    ...scenario('an operator answers for a failure', [part('refuse', 'pays-then-fails'), part('reconcile')], {
      lapse: 1,
      settle: 1,
      beat: 1,
    }),
    settlement: 'response',
  },
]

function scenario(name: string, parts: readonly Part[], faults: Partial<Budget>): Scenario {
  return { name, parts, budget: { ...noFaults, ...faults } }
}

function part(recovery: Part['recovery'], program: Program = 'pays', payload = 'order'): Part {
  return { recovery, program, payload }
}

function two(like: Part): readonly Part[] {
  return [like, like]
}

function three(like: Part): readonly Part[] {
  return [like, like, like]
}
