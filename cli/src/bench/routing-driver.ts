/**
 * The process that asks a router at a steady rate, told what to do by `routing.ts`. Nothing else is in it: the tables, which
 * are large, and the write of a new revision would stop its clock.
 */
import { type Bus, connectBus } from '@tandem/bus/bus.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import { takeOrders } from './driver-process.ts'
import { quantile } from './round.ts'
import { benchCall, type TableSize } from './routing-tables.ts'

export type RoutingOrder =
  /** `echo`: it is no router that answers, its answers are not looked at */
  | { kind: 'open'; url: string; user: string; password: string; size: TableSize; echo?: true }
  | { kind: 'run'; rate: number; seconds: number }
  /** goes on for a second after that revision has decided for the first time */
  | { kind: 'until'; rate: number; revision: number; withinSeconds: number }

export interface OverBus {
  asked: number
  unanswered: number
  p50Ms: number
  p99Ms: number
  maxMs: number
  /** the most that a question was sent behind its time, ms: the load itself had no time */
  lateMs: number
  /** when the revision that was waited for decided, epoch ms; 0: never, or none was waited for */
  takenAt: number
  /** the first of the answers that are not right, in words */
  wrong: string[]
}

const MOST_WRONG = 20
const AFTERWARDS_MS = 1000
const CONNECT_AGAIN_MS = 50

let bus: Bus | undefined
let size: TableSize | undefined
let echo = false
let id = 0

async function open(order: Extract<RoutingOrder, { kind: 'open' }>): Promise<OverBus> {
  const { url, user, password } = order
  size = order.size
  echo = order.echo ?? false
  bus = await connectBus({ service: 'edge-proxy', url, user, password, onTrouble: () => {} })
  // the router hears the question only when its tables are there
  while ((await bus.ask(ResolveRoute, benchCall(size, id++, 0).question)).kind !== 'answer')
    await new Promise((done) => setTimeout(done, CONNECT_AGAIN_MS))
  return figuresOf([], 0, 0, 0, new Set())
}

/** Open loop: questions go out when they are due, at ticks of 1 ms, whatever became of those before. */
async function ask(rate: number, goesOn: (takenAt: number) => boolean, revision = Number.POSITIVE_INFINITY) {
  if (bus === undefined || size === undefined) throw new Error('not opened')
  const [edge, tables] = [bus, size]
  const times: number[] = []
  const wrong = new Set<string>()
  const open = new Set<Promise<void>>()
  let [unanswered, takenAt, lateMs] = [0, 0, 0]
  const one = async (): Promise<void> => {
    const { question, expected } = benchCall(tables, id++, Math.random())
    const sent = performance.now()
    const asked = await edge.ask(ResolveRoute, question)
    times.push(performance.now() - sent)
    if (asked.kind !== 'answer') {
      unanswered++
      return void wrong.add(`no answer: ${asked.kind}`)
    }
    if (echo) return
    const { answer } = asked
    if (takenAt === 0 && answer.revision >= revision) takenAt = Date.now()
    const step = answer.kind === 'route' ? answer.branches[0]?.attempts[0] : undefined
    const got = step?.kind === 'trunk' ? step.trunk : (step?.user ?? (answer.kind === 'reject' ? answer.reason : '?'))
    const right = expected(answer.revision)
    if (got !== right) wrong.add(`${question.dialled}: ${got} instead of ${right} (revision ${answer.revision})`)
  }
  const began = performance.now()
  for (let sent = 0; goesOn(takenAt); ) {
    const now = performance.now() - began
    const due = Math.floor((now * rate) / 1000)
    if (sent < due) lateMs = Math.max(lateMs, now - (sent * 1000) / rate)
    for (; sent < due; sent++) {
      const asked = one()
      open.add(asked)
      void asked.finally(() => open.delete(asked))
    }
    await new Promise((done) => setTimeout(done, 1))
  }
  await Promise.all(open)
  return figuresOf(times, unanswered, lateMs, takenAt, wrong)
}

function figuresOf(
  times: number[],
  unanswered: number,
  lateMs: number,
  takenAt: number,
  wrong: ReadonlySet<string>,
): OverBus {
  const sorted = Float64Array.from(times).sort()
  const at = (share: number) => (sorted.length === 0 ? 0 : quantile(sorted, share))
  return {
    ...{ asked: sorted.length, unanswered, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? 0 },
    ...{ lateMs, takenAt, wrong: [...wrong].slice(0, MOST_WRONG) },
  }
}

takeOrders<RoutingOrder, OverBus>(async (order) => {
  if (order.kind === 'open') return await open(order)
  const began = performance.now()
  const within = (seconds: number) => performance.now() - began < seconds * 1000
  if (order.kind === 'run') return await ask(order.rate, () => within(order.seconds))
  const goesOn = (takenAt: number) =>
    takenAt === 0 ? within(order.withinSeconds) : Date.now() - takenAt < AFTERWARDS_MS
  return await ask(order.rate, goesOn, order.revision)
})
