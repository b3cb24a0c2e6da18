/** An edge with calls, two carriers, two phones, and a router that tests tell what to decide. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import { Locate, type LocateAnswer } from '@tandem/contracts/location.ts'
import {
  type Attempt,
  ResolveRoute,
  type RouteDecision,
  type RoutePlan,
  type RouteQuestion,
  type TrunkAttempt,
} from '@tandem/contracts/routing.ts'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import { type Itsp, type ItspParts, startItsp } from '@tandem/testing/itsp.ts'
import { type Phone, type PhoneParts, startPhone } from '@tandem/testing/phone.ts'
import { mediaPorts, steadyPort } from '@tandem/testing/ports.ts'
import { callsIn } from '../src/calls.ts'
import type { CallControl } from '../src/on-invite.ts'
import { PASSWORDS, startEdgeForTest, type TestEdge, type TestEdgeOptions, testConfiguration } from './start-edge.ts'

export interface CallEdge {
  readonly edge: TestEdge
  /** The configuration that it was started with. */
  readonly document: ConfigurationDocument
  readonly calls: CallControl
  readonly transactions: TransactionLayer
  readonly itspA: Itsp
  readonly itspB: Itsp
  readonly alice: Phone
  readonly bob: Phone
  /** What the router was asked. */
  readonly questions: readonly RouteQuestion[]
  /** Every final record that came to the stream. */
  readonly records: readonly LegRecord[]
  route(decide: (question: RouteQuestion) => RouteDecision | undefined): void
  locate(answer: LocateAnswer | undefined): void
  /** The records of the call that the router was asked about last, once there are so many. */
  ended(count: number): Promise<readonly LegRecord[]>
  stopRouting(): Promise<void>
  close(): Promise<void>
}

export interface CallEdgeOptions {
  readonly a?: Partial<ItspParts>
  readonly b?: Partial<ItspParts>
  readonly alice?: Pick<PhoneParts, 'line'>
  readonly trunks?: Record<string, object>
  readonly document?: Partial<ConfigurationDocument>
  readonly edge?: Partial<ConfigurationDocument['edge']>
  readonly mediaPorts?: string
  readonly env?: Record<string, string>
  /** Beside those of `testConfiguration()`. */
  readonly listeners?: ConfigurationDocument['edge']['listen']
  /** SIP timers of the edge, ms. */
  readonly times?: TestEdgeOptions['times']
  readonly time?: TestEdgeOptions['time']
}

/** Media ports of an edge that no other test has. */
export function somePorts(): string {
  const first = mediaPorts(400)
  return `${first}-${first + 399}`
}

export async function startCallEdge(options: CallEdgeOptions = {}): Promise<CallEdge> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-calls-'))
  const carrier = await steadyPort()
  const target = `udp://127.0.0.1:${carrier}`
  const itspA = await startItsp({ name: 'Carrier A', target, ...options.a })
  const itspB = await startItsp({ name: 'Carrier B', target, ...options.b })
  const base = testConfiguration()
  const { 'itsp-a': _a, 'itsp-b': _b, ...rest } = options.trunks ?? {}
  const listen = { ...base.edge.listen, carrier: { url: target }, ...options.listeners }
  const document: ConfigurationDocument = {
    ...base,
    edge: {
      ...base.edge,
      listen,
      media: { relay: 'embedded', address: '127.0.0.1', ports: options.mediaPorts ?? somePorts() },
      ...options.edge,
    },
    trunks: {
      'itsp-a': {
        to: [itspA.uri],
        from: [`127.0.0.1:${itspA.port}`],
        listener: 'carrier',
        emergency: true,
        ...options.trunks?.['itsp-a'],
      },
      'itsp-b': {
        to: [itspB.uri],
        from: [`127.0.0.1:${itspB.port}`],
        listener: 'carrier',
        emergency: true,
        ...options.trunks?.['itsp-b'],
      },
      ...rest,
    } as ConfigurationDocument['trunks'],
    emergency: { ...base.emergency, trunks: ['itsp-a', 'itsp-b'] },
    locations: {
      'hq-lobby': {
        country: 'US',
        A1: 'WA',
        A3: 'Redmond',
        HNO: '15010',
        RD: '36th',
        STS: 'St',
        PC: '98052',
        FLR: '1',
      },
    },
    ...options.document,
  }
  let calls: CallControl | undefined
  let transactions: TransactionLayer | undefined
  const edge = await startEdgeForTest({
    document,
    ...(options.env ? { env: options.env } : {}),
    ...(options.times ? { times: options.times } : {}),
    ...(options.time ? { time: options.time } : {}),
    createCalls: (e) => {
      calls = callsIn(folder)(e)
      transactions = e.transactions
      return calls
    },
  }).catch(async (error: unknown) => {
    await Promise.all([itspA.close(), itspB.close()])
    throw error
  })
  const records: LegRecord[] = []
  const watchers = new Set<() => void>()
  const billing = await edge.nats.bus('billing')
  billing.hear(CallEnded, (body) => {
    records.push(body as LegRecord)
    for (const look of watchers) look()
  })
  await billing.flush()
  const routing = await edge.nats.bus('routing')
  const location = await edge.nats.bus('location')
  const questions: RouteQuestion[] = []
  let decide: (question: RouteQuestion) => RouteDecision | undefined = () => reject(404, 'nothing is decided yet')
  let located: LocateAnswer | undefined
  routing.answer(ResolveRoute, (question) => {
    questions.push(question)
    return decide(question)
  })
  location.answer(Locate, () => located)
  await Promise.all([routing.flush(), location.flush()])
  const server = `udp://127.0.0.1:${edge.port('inside')}`
  const alice = await startPhone({
    name: 'alice',
    server,
    password: PASSWORDS.ALICE_PASSWORD,
    domain: 'acme.example',
    ...options.alice,
  })
  const bob = await startPhone({ name: 'bob', server, password: PASSWORDS.BOB_PASSWORD, domain: 'acme.example' })
  await alice.register()
  await bob.register()
  return {
    edge,
    document,
    calls: calls as CallControl,
    transactions: transactions as TransactionLayer,
    itspA,
    itspB,
    alice,
    bob,
    questions,
    records,
    route(next) {
      decide = next
    },
    locate(answer) {
      located = answer
    },
    ended(count) {
      const id = questions.at(-1)?.callId
      return new Promise((done, fail) => {
        const found = () => records.filter((r) => r.callId === id)
        const timer = setTimeout(() => fail(new Error(`${found().length} of ${count} records came`)), 15_000)
        const look = () => {
          if (found().length < count) return
          clearTimeout(timer)
          watchers.delete(look)
          done(found())
        }
        watchers.add(look)
        look()
      })
    },
    async stopRouting() {
      await routing.close()
    },
    async close() {
      await Promise.all([alice.close(), bob.close(), itspA.close(), itspB.close()])
      await edge.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function reject(status: number, reason: string): RouteDecision {
  return { kind: 'reject', revision: 1, status, reason }
}

export function toTrunk(trunk: string, called: string, more: Partial<TrunkAttempt> = {}): TrunkAttempt {
  return {
    kind: 'trunk',
    trunk,
    called,
    calling: '+14255551001',
    noResponseMs: 4000,
    onlyTryingMs: 10_000,
    retry: [408, 500, 502, 503, 504],
    ...more,
  }
}

export function toUser(user: string, ringMs = 30_000): Attempt {
  return { kind: 'user', user, ringMs }
}

export function plan(attempts: readonly Attempt[], more: Partial<RoutePlan> = {}): RoutePlan {
  return {
    kind: 'route',
    revision: 1,
    emergency: false,
    dialled: '12065550100',
    normalised: '+12065550100',
    caller: { user: 'alice', number: '+14255551001', display: 'Alice', costCentre: 'sales', site: 'hq' },
    callee: {},
    branches: [{ role: 'callee', delayMs: 0, attempts: [...attempts] }],
    ...more,
  }
}
