// The command as a process of its own, for tests of exit codes and output.
import { checkCommand } from '../../src/checker/command.ts'

await checkCommand().parseAsync()
