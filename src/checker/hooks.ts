import { exec } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { CannotTest } from './cannot-test.ts'
import type { Hooks, Target } from './target.ts'
import { Inconclusive, type Trial } from './trial.ts'

/** Runs one of the user's hooks: a shell command, or a function. */
export async function runHook(target: Target, name: keyof Hooks): Promise<void> {
  const hook = target.options.hooks?.[name]
  if (hook === undefined) throw new CannotTest(`There is no hook ${name}.`)
  if (typeof hook === 'function') return hook()
  await new Promise<void>((resolve, reject) => {
    exec(hook, { timeout: 60_000 }, (error, _stdout, stderr) => {
      if (error === null) resolve()
      else reject(new Inconclusive(`hooks.${name} failed: ${(stderr || error.message).trim().slice(0, 200)}`))
    })
  })
}

/** Waits until the target accepts connections again. */
export async function untilUp(trial: Trial): Promise<void> {
  const until = Date.now() + 30_000
  for (;;) {
    try {
      const connection = await trial.lab.transport.connect(trial.request({ method: 'OPTIONS', keyLines: [] }))
      connection.close()
      return
    } catch {
      if (Date.now() > until) throw new Inconclusive('the target did not come back within 30 s')
      await sleep(100)
    }
  }
}
