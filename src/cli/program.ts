import { Command, CommanderError } from 'commander'
import { isIdempotencyError } from '../core/errors.ts'
import { CommandFailure } from './failure.ts'
import { packageVersion } from './version.ts'

/** The commands of `hapax`, in the order of `hapax --help`. Only the one that is asked for is loaded. */
const commands = new Map([
  ['check', async () => (await import('../checker/command.ts')).checkCommand()],
  ['demo', async () => (await import('./demo.ts')).demoCommand()],
  ['keys', async () => (await import('./keys.ts')).keysCommand()],
  ['migrate', async () => (await import('./migrate.ts')).migrateCommand()],
])

/**
 * Runs one command line. Sets the exit code: 0, 1 for a verdict that is bad, 2 where the command could not do
 * its work (wrong use, a port that is taken, a store that can't be opened).
 */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    const program = await createProgram(argv[2])
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = reportError(error)
  }
}

async function createProgram(asked: string | undefined): Promise<Command> {
  const program = new Command('hapax')
    .description(
      'Idempotency keys for HTTP APIs: the same request, sent N times, has one effect and one answer.',
    )
    .version(packageVersion())
    .showHelpAfterError('Run "hapax --help" to see what there is.')
    // Without this, commander ends the process with 1, which is the exit code of a bad verdict.
    .exitOverride()
  const one = commands.get(asked ?? '')
  for (const create of one === undefined ? commands.values() : [one]) {
    program.addCommand(inheriting(await create(), program))
  }
  return program
}

/** A command that was made before it had a parent, and so were its own commands. */
function inheriting(command: Command, parent: Command): Command {
  for (const nested of command.commands) inheriting(nested, parent)
  return command.copyInheritedSettings(parent)
}

function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const expected = error instanceof CommandFailure || isIdempotencyError(error)
  process.stderr.write(`${expected ? `hapax: ${error.message}` : describeDefect(error)}\n`)
  return 2
}

function describeDefect(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
