/** How fast a router decides with large tables: inside, over NATS at a rate, and while it takes over new tables. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Bus } from '@tandem/bus/bus.ts'
import { CONFIG_BUCKET, CONFIG_KEY } from '@tandem/config/revision.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
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

export interface OverBus {
  asked: number
  unanswered: number
  p50Ms: number
  p99Ms: number
  maxMs: number
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

export async function measureRouting(plan: RoutingPlan): Promise<RoutingFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-bench-'))
  let nats: PrivateNats | undefined
  let router: ChildProcess | undefined
  try {
    plan.say(`making tables of ${plan.numbers} numbers, ${plan.users} users, ${plan.prefixes} prefixes …`)
    const [first, second] = [benchRevision(plan, 1), benchRevision(plan, 2)]
    plan.say('measuring inside the router …')
    const inside = await measureInside(plan, folder, first)
    nats = await startPrivateNats()
    const [console, edge] = [await nats.bus('console'), await nats.bus('edge-proxy')]
    const bucket = await console.bucket(CONFIG_BUCKET)
    const env = { ...process.env, NATS_URL: nats.url, NATS_USER: 'routing', NATS_PASSWORD: nats.passwords.routing }
    router = spawn(process.execPath, [quiet, join(routing, 'main.ts')], {
      env: { ...env, LOG_LEVEL: 'warn' },
      stdio: 'ignore',
    })
    const began = performance.now()
    await bucket.put(CONFIG_KEY, first)
    await until(plan, async () => (await edge.ask(ResolveRoute, benchCall(plan, 0, 0).question)).kind === 'answer')
    const readyMs = performance.now() - began
    const wrong = new Set<string>()
    plan.say(`asking ${plan.rate} questions a second over NATS …`)
    const warm = performance.now() + 2000
    await ask(plan, edge, wrong, () => performance.now() < warm)
    const end = performance.now() + plan.seconds * 1000
    const steady = (await ask(plan, edge, wrong, () => performance.now() < end)).figures
    plan.say('the same while new tables are taken over …')
    const written = performance.now()
    let taken = 0
    const change = bucket.put(CONFIG_KEY, second)
    const reload = await ask(plan, edge, wrong, (revision) => {
      if (revision === 2 && taken === 0) taken = performance.now()
      return taken === 0 ? performance.now() - written < 300_000 : performance.now() - taken < 1000
    })
    await change
    if (taken === 0) wrong.add('the second revision never came into force')
    return {
      revisionMiB: first.length / 2 ** 20,
      ...{ inside, readyMs, residentMiB: await resident(router), steady },
      reload: { ...reload.figures, ms: taken - written },
      wrong: [...wrong].slice(0, 20),
    }
  } finally {
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

/** Open loop: questions go out when they are due, at ticks of 1 ms, whatever became of those before. */
async function ask(plan: RoutingPlan, edge: Bus, wrong: Set<string>, goesOn: (revision: number) => boolean) {
  const times: number[] = []
  const open = new Set<Promise<void>>()
  let [unanswered, last, id] = [0, 0, 0]
  const one = async (): Promise<void> => {
    const { question, expected } = benchCall(plan, id++, Math.random())
    const sent = performance.now()
    const asked = await edge.ask(ResolveRoute, question)
    times.push(performance.now() - sent)
    if (asked.kind !== 'answer') {
      unanswered++
      return void wrong.add(`no answer: ${asked.kind}`)
    }
    const { answer } = asked
    last = Math.max(last, answer.revision)
    const step = answer.kind === 'route' ? answer.branches[0]?.attempts[0] : undefined
    const got = step?.kind === 'trunk' ? step.trunk : (step?.user ?? (answer.kind === 'reject' ? answer.reason : '?'))
    const right = expected(answer.revision)
    if (got !== right) wrong.add(`${question.dialled}: ${got} instead of ${right} (revision ${answer.revision})`)
  }
  const began = performance.now()
  for (let sent = 0; goesOn(last) && !plan.signal.aborted; ) {
    const due = Math.floor(((performance.now() - began) * plan.rate) / 1000)
    for (; sent < due; sent++) {
      const asked = one()
      open.add(asked)
      void asked.finally(() => open.delete(asked))
    }
    await new Promise((done) => setTimeout(done, 1))
  }
  await Promise.all(open)
  plan.signal.throwIfAborted()
  times.sort((a, b) => a - b)
  const share = (of: number) => times[Math.floor(times.length * of)] ?? 0
  const figures: OverBus = {
    ...{ asked: times.length, unanswered, p50Ms: share(0.5), p99Ms: share(0.99), maxMs: times.at(-1) ?? 0 },
  }
  return { figures }
}

async function until(plan: RoutingPlan, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 300_000
  while (!(await condition())) {
    plan.signal.throwIfAborted()
    if (performance.now() > end) throw new Error('the router is not ready after 5 minutes')
    await new Promise((done) => setTimeout(done, 50))
  }
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
