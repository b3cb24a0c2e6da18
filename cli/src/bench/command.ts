import { type Command, InvalidArgumentError } from 'commander'
import { Failure } from '../failure.ts'
import type { Figure } from './figures.ts'
import type { Measuring } from './side-by-side.ts'

/** `tandem bench …`: each measurement is a subcommand in a file of its own beside this one. */
export function addBenchCommands(program: Command): void {
  const bench = program.command('bench').description('measure this machine; asserts correctness, never speed')
  for (const { name, description, numbers, peer, ramp, example, measure } of MEASUREMENTS) {
    const command = bench.command(name).description(description)
    for (const [flag, what, value] of numbers) command.option(`--${flag}`, what, whole, value)
    if (ramp) command.option('--ramp', ramp)
    if (peer) command.option('--no-peer', `leave ${peer} out`)
    command
      .option('--json', 'print one JSON object a line')
      .addHelpText('after', `\nExample:\n  $ tandem bench ${name} ${example}`)
      .action(({ json = false, ...options }) =>
        stoppable(async (measuring) => show(json, await measure({ ramp: false, ...options, ...measuring }))),
      )
  }
}

interface Outcome {
  figures: Figure[]
  text: string
  /** why nothing was compared with; null: there was a peer, or there is never one */
  noPeer: string | null
  /** in words */
  wrong: string[]
}

interface Measurement {
  name: string
  description: string
  numbers: [flag: string, description: string, value: number][]
  /** what it is compared with */
  peer?: string
  ramp?: string
  example: string
  /** The options, by their names in the plan of that measurement. */
  // biome-ignore lint/suspicious/noExplicitAny: commander gives what `numbers`, `peer` and `ramp` say
  measure(plan: any): Promise<Outcome>
}

const RUNS: Measurement['numbers'][number] = ['runs <number>', 'rounds of each system', 3]
const TABLES: Measurement['numbers'] = [
  ['numbers <number>', 'numbers in the inventory', 1_000_000],
  ['users <number>', 'users', 50_000],
  ['prefixes <number>', 'prefixes of each of two rate decks', 200_000],
  ['rules <number>', 'rules of the dial plan', 400],
]

const MEASUREMENTS: readonly Measurement[] = [
  {
    name: 'calls',
    description: 'calls through a Tandem of its own, in turns with Kamailio where it is installed',
    numbers: [['rate <calls/s>', 'calls a second', 200], ['calls <number>', 'calls in a round', 1000], RUNS],
    ...{ peer: 'Kamailio', ramp: 'find the highest clean rate, too' },
    example: '--rate 200 --calls 1000 --runs 3',
    async measure(plan) {
      const [{ measureCalls }, report] = await Promise.all([import('./calls.ts'), import('./calls-report.ts')])
      const told = await measureCalls(plan)
      return { ...told, figures: report.callsFigures(told, plan), text: report.describeCalls(told, plan) }
    },
  },
  {
    name: 'held',
    description: 'what calls that are up take: memory and CPU, beside Kamailio where it is installed',
    numbers: [
      ['calls <number>', 'calls at a time', 3000],
      ['rate <calls/s>', 'calls a second until they are up', 200],
      ['hold <seconds>', 'each call is up for so long; from 50 s on without what lingers of its set-up', 60],
    ],
    peer: 'Kamailio',
    example: '--calls 3000 --rate 200 --hold 60',
    async measure(plan) {
      const { describeHeld, heldFigures, measureHeld } = await import('./held.ts')
      const told = await measureHeld(plan)
      return { ...told, figures: heldFigures(told, plan), text: describeHeld(told, plan) }
    },
  },
  {
    name: 'register',
    description: 'registrations with digest at a Tandem of its own, in turns with Kamailio where it is installed',
    numbers: [
      ['rate <registrations/s>', 'registrations a second', 200],
      ['registrations <number>', 'registrations in a round', 2000],
      RUNS,
    ],
    peer: 'Kamailio',
    example: '--rate 200 --registrations 2000 --runs 3',
    async measure(plan) {
      const { describeRegistrations, measureRegistrations } = await import('./register.ts')
      const told = await measureRegistrations(plan)
      return { ...told, text: describeRegistrations(told, plan) }
    },
  },
  {
    name: 'routing',
    description: 'a router with large tables: inside, over NATS, and while it takes over new ones',
    numbers: [
      ...TABLES,
      ['rate <questions/s>', 'questions a second', 2000],
      ['seconds <number>', 'length of a round', 10],
      RUNS,
    ],
    example: '--rate 2000 --seconds 10 --runs 3',
    async measure(plan) {
      const [{ measureRouting }, report] = await Promise.all([import('./routing.ts'), import('./routing-report.ts')])
      const told = await measureRouting(plan)
      return {
        ...{ figures: report.routingFigures(told, plan), text: report.describeRouting(told, plan) },
        ...{ noPeer: null, wrong: told.wrong },
      }
    },
  },
  {
    name: 'apply',
    description: 'large configurations are applied, changed and taken back while people call, and call for help',
    numbers: [
      ...TABLES,
      ['rate <calls/s>', 'calls a second, beside one call for help each second', 20],
      ['seconds <number>', 'of calls before the first change and after each', 10],
    ],
    example: '--rate 20',
    async measure(plan) {
      const [{ measureApply }, report] = await Promise.all([import('./apply.ts'), import('./apply-report.ts')])
      const told = await measureApply(plan)
      return {
        ...{ figures: report.applyFigures(told), text: report.describeApply(told, plan) },
        ...{ noPeer: null, wrong: told.wrong },
      }
    },
  },
  {
    name: 'rtp',
    description: 'audio of calls through the embedded relay, in turns with rtpengine where it is installed',
    numbers: [
      ['calls <number>', 'calls at a time', 100],
      ['packets-per-second <number>', 'RTP packets of each phone', 50],
      ['seconds <number>', 'length of a round', 4],
      RUNS,
    ],
    ...{ peer: 'rtpengine', ramp: 'find the highest number of calls without loss, too' },
    example: '--calls 100 --seconds 4 --runs 3',
    async measure(plan) {
      const [{ measureRtp }, report] = await Promise.all([import('./rtp.ts'), import('./rtp-report.ts')])
      const told = await measureRtp(plan)
      return { ...told, figures: report.rtpFigures(told, plan), text: report.describeRtp(told, plan) }
    },
  },
]

/** Progress goes to stderr; Ctrl-C ends what runs. */
async function stoppable(measure: (measuring: Measuring) => Promise<void>): Promise<void> {
  const { listen } = await import('../up/run-up.ts')
  const stopping = new AbortController()
  const signals = listen(stopping, () => console.error('stopping …'))
  try {
    await measure({ signal: stopping.signal, say: (line) => console.error(line) })
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    console.error('stopped')
    process.exitCode = 130
  } finally {
    signals.close()
  }
}

/** Prints the figures; what went wrong is a failure. */
function show(json: boolean, { figures, text, noPeer, wrong }: Outcome): void {
  if (json) for (const figure of figures) console.log(JSON.stringify(figure))
  else console.log(`\n${text}`)
  if (json && noPeer !== null) console.error(`no peer: ${noPeer}`)
  if (wrong.length > 0) throw new Failure('not everything went well', 'The lines below say what.', wrong)
}

function whole(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('A whole number from 1 up.')
}
