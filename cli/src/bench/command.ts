import { type Command, InvalidArgumentError } from 'commander'
import { Failure } from '../failure.ts'

/** `tandem bench …`: each measurement is a subcommand in a file of its own beside this one. */
export function addBenchCommands(program: Command): void {
  const bench = program.command('bench').description('measure this machine; asserts correctness, never speed')
  bench
    .command('calls')
    .description('calls through a Tandem of its own, in turns with Kamailio where it is installed')
    .option('--rate <calls/s>', 'calls a second', whole, 200)
    .option('--calls <number>', 'calls in a round', whole, 1000)
    .option('--runs <number>', 'rounds of each system', whole, 3)
    .option('--ramp', 'find the highest clean rate, too')
    .option('--no-peer', 'leave Kamailio out')
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nExample:\n  $ tandem bench calls --rate 200 --calls 1000 --runs 3')
    .action(benchCalls)
}

interface CallsOptions {
  rate: number
  calls: number
  runs: number
  ramp?: boolean
  peer: boolean
  json?: boolean
}

async function benchCalls({ ramp = false, json = false, ...options }: CallsOptions): Promise<void> {
  const [{ measureCalls }, { callsFigures, describeCalls }, { listen }] = await Promise.all([
    import('./calls.ts'),
    import('./calls-report.ts'),
    import('../up/run-up.ts'),
  ])
  const stopping = new AbortController()
  const signals = listen(stopping, () => console.error('stopping …'))
  try {
    const plan = { ...options, ramp, signal: stopping.signal, say: (line: string) => console.error(line) }
    const figures = await measureCalls(plan)
    if (json) for (const figure of callsFigures(figures, plan)) console.log(JSON.stringify(figure))
    else console.log(`\n${describeCalls(figures, plan)}`)
    if (json && figures.noPeer !== null) console.error(`no peer: ${figures.noPeer}`)
    if (figures.wrong.length > 0) {
      throw new Failure('not every call went well', 'The lines above say what each round did.', figures.wrong)
    }
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    console.error('stopped')
    process.exitCode = 130
  } finally {
    signals.close()
  }
}

function whole(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('A whole number from 1 up.')
}
