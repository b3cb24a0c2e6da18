/** How fast a router decides with large tables: inside, over NATS at a rate, and while it takes over new tables. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CONFIG_BUCKET, CONFIG_KEY } from '@tandem/config/revision.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Driver, startDriver } from './driver-process.ts'
import type { OverBus, RoutingOrder } from './routing-driver.ts'
import { benchCall, benchRevision, DECK, type TableSize } from './routing-tables.ts'

export interface RoutingPlan extends TableSize {
  rate: number
  seconds: number
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
  steady: OverBus
  reload: OverBus & { ms: number }
  wrong: string[]
}

const routing = fileURLToPath(new URL('../../../services/routing/src/', import.meta.url))
const quiet = '--disable-warning=ExperimentalWarning'
const WARM_UP_SECONDS = 2
const SOON_MS = 30_000
/** Reading the largest tables takes less than that. */
const LOAD_MS = 300_000

export async function measureRouting(plan: RoutingPlan): Promise<RoutingFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-bench-'))
  let nats: PrivateNats | undefined
  let router: ChildProcess | undefined
  let load: Driver<RoutingOrder, OverBus> | undefined
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
    load = startDriver<RoutingOrder, OverBus>(fileURLToPath(new URL('./routing-driver.ts', import.meta.url)))
    const { rate, seconds } = plan
    const { users, numbers, prefixes, rules } = plan
    const size = { users, numbers, prefixes, rules }
    const order = async (order: RoutingOrder, ms: number) => {
      const answer = await (load as Driver<RoutingOrder, OverBus>).ask(order, ms)
      plan.signal.throwIfAborted()
      return answer
    }
    const began = performance.now()
    await bucket.put(CONFIG_KEY, first)
    await order(
      { kind: 'open', url: nats.url, user: 'edge-proxy', password: nats.passwords['edge-proxy'], size },
      LOAD_MS,
    )
    const readyMs = performance.now() - began
    plan.say(`asking ${rate} questions a second over NATS …`)
    await order({ kind: 'run', rate, seconds: WARM_UP_SECONDS }, WARM_UP_SECONDS * 1000 + SOON_MS)
    const steady = await order({ kind: 'run', rate, seconds }, seconds * 1000 + SOON_MS)
    plan.say('the same while new tables are taken over …')
    const until = { kind: 'until', rate, revision: 2, withinSeconds: LOAD_MS / 1000 } as const
    const written = Date.now()
    const [reload] = await Promise.all([order(until, LOAD_MS + SOON_MS), bucket.put(CONFIG_KEY, second)])
    const wrong = [...steady.wrong, ...reload.wrong]
    if (reload.takenAt === 0) wrong.push('the second revision never came into force')
    return {
      revisionMiB: first.length / 2 ** 20,
      ...{ inside, readyMs, residentMiB: await resident(router), steady },
      reload: { ...reload, ms: reload.takenAt - written },
      wrong,
    }
  } finally {
    await load?.stop()
    if (router && router.exitCode === null) {
      const gone = once(router, 'exit')
      router.kill('SIGTERM')
      await gone
    }
    await nats?.close()
    await rm(folder, { recursive: true, force: true })
  }
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
