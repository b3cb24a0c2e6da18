import { type Command, InvalidArgumentError } from 'commander'
import { Failure } from '../failure.ts'
import type { Figure } from './calls-report.ts'

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
  bench
    .command('register')
    .description('registrations with digest at a Tandem of its own, in turns with Kamailio where it is installed')
    .option('--rate <registrations/s>', 'registrations a second', whole, 200)
    .option('--registrations <number>', 'registrations in a round', whole, 2000)
    .option('--runs <number>', 'rounds of each system', whole, 3)
    .option('--no-peer', 'leave Kamailio out')
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nExample:\n  $ tandem bench register --rate 200 --registrations 2000 --runs 3')
    .action(benchRegister)
  bench
    .command('routing')
    .description('a router with large tables: inside, over NATS, and while it takes over new ones')
    .option('--numbers <number>', 'numbers in the inventory', whole, 1_000_000)
    .option('--users <number>', 'users', whole, 50_000)
    .option('--prefixes <number>', 'prefixes of each of two rate decks', whole, 200_000)
    .option('--rules <number>', 'rules of the dial plan', whole, 400)
    .option('--rate <questions/s>', 'questions a second', whole, 2000)
    .option('--seconds <number>', 'how long', whole, 10)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nExample:\n  $ tandem bench routing --rate 2000 --seconds 10')
    .action(benchRouting)
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
  const [{ measureCalls }, { callsFigures, describeCalls }] = await Promise.all([
    import('./calls.ts'),
    import('./calls-report.ts'),
  ])
  await stoppable(async (signal, say) => {
    const plan = { ...options, ramp, signal, say }
    const figures = await measureCalls(plan)
    show(json, callsFigures(figures, plan), () => describeCalls(figures, plan), figures)
  })
}

interface RoutingOptions {
  numbers: number
  users: number
  prefixes: number
  rules: number
  rate: number
  seconds: number
  json?: boolean
}

async function benchRouting({ json = false, ...options }: RoutingOptions): Promise<void> {
  const [{ measureRouting }, { routingFigures, describeRouting }] = await Promise.all([
    import('./routing.ts'),
    import('./routing-report.ts'),
  ])
  await stoppable(async (signal, say) => {
    const plan = { ...options, signal, say }
    const figures = await measureRouting(plan)
    if (json) for (const figure of routingFigures(figures, plan)) console.log(JSON.stringify(figure))
    else console.log(`\n${describeRouting(figures, plan)}`)
    if (figures.wrong.length > 0) {
      throw new Failure('not every question was answered rightly', 'The lines below say which.', figures.wrong)
    }
  })
}

interface RegisterOptions {
  rate: number
  registrations: number
  runs: number
  peer: boolean
  json?: boolean
}

async function benchRegister({ json = false, ...options }: RegisterOptions): Promise<void> {
  const { describeRegistrations, measureRegistrations } = await import('./register.ts')
  await stoppable(async (signal, say) => {
    const plan = { ...options, signal, say }
    const told = await measureRegistrations(plan)
    show(json, told.figures, () => describeRegistrations(told, plan), told)
  })
}

/** Progress goes to stderr; Ctrl-C ends what runs. */
async function stoppable(measure: (signal: AbortSignal, say: (line: string) => void) => Promise<void>): Promise<void> {
  const { listen } = await import('../up/run-up.ts')
  const stopping = new AbortController()
  const signals = listen(stopping, () => console.error('stopping …'))
  try {
    await measure(stopping.signal, (line) => console.error(line))
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    console.error('stopped')
    process.exitCode = 130
  } finally {
    signals.close()
  }
}

/** Prints the figures; what went wrong is a failure. */
function show(
  json: boolean,
  figures: readonly Figure[],
  describe: () => string,
  { noPeer, wrong }: { noPeer: string | null; wrong: string[] },
): void {
  if (json) for (const figure of figures) console.log(JSON.stringify(figure))
  else console.log(`\n${describe()}`)
  if (json && noPeer !== null) console.error(`no peer: ${noPeer}`)
  if (wrong.length > 0) throw new Failure('not everything went well', 'The lines above say what each round did.', wrong)
}

function whole(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('A whole number from 1 up.')
}
