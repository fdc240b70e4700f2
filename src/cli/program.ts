import { Command, CommanderError } from 'commander'
import { isIdempotencyError } from '../core/errors.ts'
import { checkCommand } from '../checker/command.ts'
import { demoCommand } from './demo.ts'
import { CommandFailure } from './failure.ts'
import { migrateCommand } from './migrate.ts'
import { packageVersion } from './version.ts'

/** The commands of `hapax`, in the order of `hapax --help`. Each is a file beside this one. */
const commands = [checkCommand, demoCommand, migrateCommand]

/**
 * Runs one command line. Sets the exit code: 0, 1 for a verdict that is bad, 2 where the command could not do
 * its work (wrong use, a port that is taken, a store that can't be opened).
 */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv)
  } catch (error) {
    process.exitCode = reportError(error)
  }
}

function createProgram(): Command {
  const program = new Command('hapax')
    .description(
      'Idempotency keys for HTTP APIs: the same request, sent N times, has one effect and one answer.',
    )
    .version(packageVersion())
    .showHelpAfterError('Run "hapax --help" to see what there is.')
    // Without this, commander ends the process with 1, which is the exit code of a bad verdict.
    .exitOverride()
  for (const create of commands) program.addCommand(create().copyInheritedSettings(program))
  return program
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
