/** The `tandem` command. */
import { Command, CommanderError } from 'commander'
import { addBenchCommands } from './bench/command.ts'
import { addBillingCommands } from './commands/billing.ts'
import { addCallCommands } from './commands/calls.ts'
import { addConfigurationCommands } from './commands/configuration.ts'
import { addImportCommands } from './commands/import.ts'
import { addNumberCommands } from './commands/numbers.ts'
import { addPeopleCommands } from './commands/people.ts'
import { addRateCommand } from './commands/rate.ts'
import { addRoutingCommands } from './commands/routing.ts'
import { addRunCommands } from './commands/run.ts'
import { printFailure } from './print/failure.ts'

const program = new Command('tandem')
  .description('Enterprise SIP trunking: calls, numbers, presence, locations and billing from the command line.')
  .version('0.1.0')
  .showHelpAfterError('(tandem --help lists the commands)')
  .showSuggestionAfterError()
  .exitOverride()

addRunCommands(program)
addConfigurationCommands(program)
addImportCommands(program)
addRoutingCommands(program)
addCallCommands(program)
addBillingCommands(program)
addNumberCommands(program)
addPeopleCommands(program)
addRateCommand(program)
addBenchCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  // --help and --version end here too, with exit code 0; commander has printed what it says.
  process.exitCode = error instanceof CommanderError ? error.exitCode : printFailure(error)
}
