/** How fast a router decides with large tables: inside, over NATS at a rate, and while it takes over new tables. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CONFIG_BUCKET, CONFIG_KEY } from '@tandem/config/revision.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Driver, startDriver } from './driver-process.ts'
import type { OverBus, RoutingOrder } from './routing-driver.ts'
import type { EchoOrder } from './routing-echo.ts'
import { benchCall, benchRevision, DECK, type TableSize } from './routing-tables.ts'

export interface RoutingPlan extends TableSize {
  rate: number
  seconds: number
  /** rounds of `seconds`; what is compared is the one in the middle */
  runs: number
  signal: AbortSignal
  say(line: string): void
}

/** Printed by services/routing/src/measure-table.ts. */
export interface Inside {
  loadMs: number
  /** the longest that the thread which decides did nothing else */
  blockedMs: number
  tableMiB: number
  users: number
  numbers: number
  decideP50Us: number
  decideP99Us: number
  deckMiB: number
  lookUpNs: number
}

export interface RoutingFigures {
  revisionMiB: number
  inside: Inside
  /** from the write into the bucket until the router answers */
  readyMs: number
  residentMiB: number
  /** rounds in turns: the router's and those of a process that decides nothing */
  steady: OverBus[]
  echo: OverBus[]
  reload: OverBus & { ms: number }
  wrong: string[]
}

const routing = fileURLToPath(new URL('../../../services/routing/src/', import.meta.url))
const quiet = '--disable-warning=ExperimentalWarning'
/** A router works for months; the optimising compilers of both sides are through after some 15,000 questions. */
const WARM_UP_SECONDS = 8
const SOON_MS = 30_000
/** Reading the largest tables takes less than that. */
const LOAD_MS = 300_000

export async function measureRouting(plan: RoutingPlan): Promise<RoutingFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-bench-'))
  let nats: PrivateNats | undefined
  let echoNats: PrivateNats | undefined
  let router: ChildProcess | undefined
  const drivers: Driver<never, unknown>[] = []
  const begin = <Order, Answer>(file: string): Driver<Order, Answer> => {
    const driver = startDriver<Order, Answer>(fileURLToPath(new URL(file, import.meta.url)))
    drivers.push(driver)
    return driver
  }
  try {
    plan.say(`making tables of ${plan.numbers} numbers, ${plan.users} users, ${plan.prefixes} prefixes …`)
    const [first, second] = [benchRevision(plan, 1), benchRevision(plan, 2)]
    plan.say('measuring inside the router …')
    const inside = await measureInside(plan, folder, first)
    nats = await startPrivateNats()
    const bucket = await (await nats.bus('console')).bucket(CONFIG_BUCKET)
    const env = { ...process.env, NATS_URL: nats.url, NATS_USER: 'routing', NATS_PASSWORD: nats.passwords.routing }
    router = spawn(process.execPath, [quiet, join(routing, 'main.ts')], {
      env: { ...env, LOG_LEVEL: 'warn' },
      stdio: 'ignore',
    })
    const began = performance.now()
    await bucket.put(CONFIG_KEY, first)
    const load = await opened(plan, begin('./routing-driver.ts'), nats)
    const readyMs = performance.now() - began
    echoNats = await startPrivateNats()
    const answer = await anAnswer(plan, nats)
    const credentials = { user: 'routing', password: echoNats.passwords.routing }
    await begin<EchoOrder, true>('./routing-echo.ts').ask({ url: echoNats.url, ...credentials, answer }, SOON_MS)
    const bare = await opened(plan, begin('./routing-driver.ts'), echoNats, { echo: true })
    const { steady, echo } = await inTurns(plan, load, bare)
    plan.say('the same while new tables are taken over …')
    const until = { kind: 'until', rate: plan.rate, revision: 2, withinSeconds: LOAD_MS / 1000 } as const
    const written = Date.now()
    const [reload] = await Promise.all([load.ask(until, LOAD_MS + SOON_MS), bucket.put(CONFIG_KEY, second)])
    const wrong = [...steady, ...echo, reload].flatMap((round) => round.wrong)
    if (reload.takenAt === 0) wrong.push('the second revision never came into force')
    return {
      revisionMiB: first.length / 2 ** 20,
      ...{ inside, readyMs, residentMiB: await resident(router), steady, echo },
      reload: { ...reload, ms: reload.takenAt - written },
      wrong,
    }
  } finally {
    await Promise.all(drivers.map((driver) => driver.stop()))
    if (router && router.exitCode === null) {
      const gone = once(router, 'exit')
      router.kill('SIGTERM')
      await gone
    }
    await nats?.close()
    await echoNats?.close()
    await rm(folder, { recursive: true, force: true })
  }
}

type Load = Driver<RoutingOrder, OverBus>

/** Comes back when questions are answered. */
async function opened(plan: RoutingPlan, load: Load, nats: PrivateNats, more: { echo?: true } = {}): Promise<Load> {
  const { users, numbers, prefixes, rules } = plan
  const who = { url: nats.url, user: 'edge-proxy', password: nats.passwords['edge-proxy'] }
  await load.ask({ kind: 'open', ...who, size: { users, numbers, prefixes, rules }, ...more }, LOAD_MS)
  plan.signal.throwIfAborted()
  return load
}

/** As a router writes it. */
async function anAnswer(plan: RoutingPlan, nats: PrivateNats): Promise<string> {
  const asked = await (await nats.bus('edge-proxy')).ask(ResolveRoute, benchCall(plan, 0, 0).question)
  if (asked.kind !== 'answer') throw new Error(`the router does not answer: ${asked.kind}`)
  return JSON.stringify(asked.answer)
}

/** Rounds of the router and of the echo in turns, so that a machine that grows slower is slower for both. */
async function inTurns(plan: RoutingPlan, load: Load, bare: Load): Promise<{ steady: OverBus[]; echo: OverBus[] }> {
  const { rate, seconds } = plan
  const round = async (asker: Load, seconds: number) => {
    const told = await asker.ask({ kind: 'run', rate, seconds }, seconds * 1000 + SOON_MS)
    plan.signal.throwIfAborted()
    return told
  }
  plan.say(`asking ${rate} questions a second over NATS …`)
  for (const asker of [load, bare]) await round(asker, Math.min(seconds, WARM_UP_SECONDS))
  const told: { steady: OverBus[]; echo: OverBus[] } = { steady: [], echo: [] }
  for (let run = 0; run < plan.runs; run++) {
    told.steady.push(await round(load, seconds))
    told.echo.push(await round(bare, seconds))
  }
  return told
}

async function measureInside(plan: RoutingPlan, folder: string, revision: Uint8Array): Promise<Inside> {
  const [file, questions] = [join(folder, 'revision.json'), join(folder, 'questions.json')]
  const calls = Array.from({ length: 10_000 }, (_, i) => benchCall(plan, i, (i * 0.618_033_988_7) % 1).question)
  await Promise.all([writeFile(file, revision), writeFile(questions, JSON.stringify(calls))])
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [quiet, '--expose-gc', join(routing, 'measure-table.ts'), file, questions, DECK],
    { signal: plan.signal, maxBuffer: 1 << 20 },
  )
  return JSON.parse(stdout) as Inside
}

/** MiB in memory of a process (Linux). */
async function resident({ pid }: ChildProcess): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'latin1')
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
