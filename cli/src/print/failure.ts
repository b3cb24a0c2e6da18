import { Failure } from '../failure.ts'
import { colours } from './colours.ts'

/** Says what is wrong and what to do, on stderr; as an object with --json. Gives the exit status. */
export function printFailure(error: unknown): number {
  if (process.argv.includes('--json')) {
    const said =
      error instanceof Failure
        ? { error: error.message, remedy: error.remedy, details: error.details }
        : { error: error instanceof Error ? error.message : String(error) }
    console.error(JSON.stringify(said))
    return 1
  }
  if (!(error instanceof Failure)) {
    console.error(error)
    return 1
  }
  console.error(`${colours.red('✗')} ${error.message}`)
  for (const line of error.details) console.error(`  ${line}`)
  if (error.remedy) console.error(`  ${colours.dim('→')} ${error.remedy}`)
  return 1
}
