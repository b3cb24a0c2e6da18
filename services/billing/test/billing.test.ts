import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  BillingRated,
  BillingStored,
  ListCdrs,
  ShowSavings,
  SummariseBilling,
  UsageSampled,
} from '@tandem/contracts/billing.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import type { Body, Question } from '@tandem/contracts/contract.ts'
import type { Database } from '@tandem/store/database.ts'
import { type Billing, startBilling } from '../src/service.ts'
import { callOf, end as endOn, type Platform, quietLog, startPlatform, until } from './platform.ts'

let platform: Platform
let database: Database
let billing: Billing
const told: string[] = []

async function startAgain(): Promise<void> {
  database = await platform.openDatabase()
  billing = startBilling({ bus: await platform.nats.bus('billing'), database, log: quietLog, tellSamplesEveryMs: 200 })
}

async function stop(): Promise<void> {
  await billing.stop()
  await database.close()
}

before(async () => {
  platform = await startPlatform()
  platform.edge.hear(BillingStored, ({ legIds }) => void told.push(...legIds))
  await startAgain()
})

after(async () => {
  await stop()
  await platform.close()
})

const end = (...legs: LegRecord[]) => endOn(platform.edge, ...legs)

async function summary(closePartial = false) {
  const asked = await platform.console.ask(SummariseBilling, { closePartial })
  assert.equal(asked.kind, 'answer', JSON.stringify(asked))
  return (asked as Extract<typeof asked, { kind: 'answer' }>).answer
}

async function list(question: Question<typeof ListCdrs> = {}) {
  const asked = await platform.console.ask(ListCdrs, question)
  assert.equal(asked.kind, 'answer', JSON.stringify(asked))
  return (asked as Extract<typeof asked, { kind: 'answer' }>).answer
}

const legs = (count: number) =>
  until(`${count} legs`, async () => (await summary()).legs === count && (await summary()))

test('a call becomes two CDRs: the trunk leg priced to the fourth decimal, the user leg free', async () => {
  const rated: Body<typeof BillingRated>[] = []
  platform.console.hear(BillingRated, (body) => void rated.push(body))
  await platform.console.flush()
  await until('ready', async () => billing.notReady() === undefined)
  const [caller, callee] = callOf(1) as [LegRecord, LegRecord]
  const proven = { attestation: 'A' as const, verstat: 'TN-Validation-Passed' }
  const sent = { referredBy: 'user:bob', joined: 'call-9', attestation: 'B' as const }
  await end({ ...caller, ...proven }, { ...callee, ...sent })
  const sums = await legs(2)
  // 66 s × 0.0175 + 0.01 = 0.02925; cost centre sales pays 10 % more: 0.032175
  assert.deepEqual([sums.calls, sums.answeredLegs, sums.minutes], [1, 2, '2.03'])
  assert.deepEqual(sums.cost, { USD: '0.0293' })
  assert.deepEqual(sums.price, { USD: '0.0322' })
  assert.deepEqual(sums.ledger, sums.cost)
  assert.deepEqual(sums.byTrunk, [{ trunk: 'itsp-a', legs: 1, minutes: '1.01', cost: { USD: '0.0293' } }])

  const { cdrs } = await list()
  const trunkLeg = cdrs.find((cdr) => cdr.legId === 'leg-1-b')
  assert.equal(trunkLeg?.cost.kind, 'per-minute')
  assert.equal(trunkLeg?.cost.prefix, '1206')
  assert.equal(trunkLeg?.cost.billedSeconds, 66)
  assert.match(trunkLeg?.cost.explanation ?? '', /66 s billed \(6\/6\) × 0\.0175\/min \+ 0\.01 connect/)
  assert.equal(trunkLeg?.durationMs, 61_000.75)
  const facts = cdrs.map(({ legId, referredBy, joined, attestation, verstat }) => ({
    ...{ legId, referredBy, joined, attestation, verstat },
  }))
  assert.deepEqual(
    facts.toSorted((a, b) => (a.legId < b.legId ? -1 : 1)),
    [
      { legId: 'leg-1-a', referredBy: undefined, joined: undefined, ...proven },
      { legId: 'leg-1-b', ...sent, verstat: undefined },
    ],
  )
  // billing.md B4: how well it was heard is in the CDR as the edge told it
  assert.deepEqual(trunkLeg?.media, callOf(1)[1].media)
  assert.equal(cdrs.find((cdr) => cdr.legId === 'leg-1-a')?.cost.kind, 'free')
  await until('told stored', async () => told.includes('leg-1-a') && told.includes('leg-1-b'))
  await until('told rated', async () => rated.flatMap((body) => body.cdrs).length === 2)
})

test('a leg of a bandwidth trunk costs nothing itself and its wire bytes are in the 5-minute sample', async () => {
  await end(...callOf(2, 'itsp-b'))
  const sums = await legs(4)
  assert.deepEqual(sums.cost, { USD: '0.0293' })
  // 3,050 packets of 200 bytes, and 18 of Ethernet each
  const sample = sums.samples.find((each) => each.trunk === 'itsp-b')
  assert.deepEqual([sample?.bytesIn, sample?.bytesOut, sample?.partial], [664_900, 664_900, false])
  const { cdrs } = await list({ trunk: 'itsp-b' })
  assert.deepEqual(
    cdrs.map((cdr) => [cdr.legId, cdr.cost.kind, cdr.cost.amount]),
    [['leg-2-b', 'bandwidth', '0']],
  )
})

test('the open window is shown only when it is asked to be closed as partial', async () => {
  const [a, b] = callOf(3, 'itsp-b')
  const startedAt = new Date(Date.now() - 30_000).toISOString()
  const now = { startedAt, answeredAt: startedAt, endedAt: new Date().toISOString(), durationMs: 60_000 }
  const heard: Body<typeof UsageSampled>[] = []
  platform.console.hear(UsageSampled, (sample) => void heard.push(sample))
  await platform.console.flush()
  await end({ ...a, ...now }, { ...b, ...now })
  const closed = await legs(6)
  const partial = await summary(true)
  assert.equal(
    closed.samples.some((sample) => sample.partial),
    false,
  )
  const open = partial.samples.filter((sample) => sample.partial)
  assert.deepEqual([...new Set(open.map((sample) => sample.trunk))], ['itsp-b'])
  await until('told partial', async () => heard.some((sample) => sample.partial))
})

test('a record that comes again is not counted again, and is told stored again', async () => {
  // The stream is emptied as its age limit would: the edge's copy gets in a second time.
  await platform.console.connection.request('$JS.API.STREAM.PURGE.CALL_ENDED')
  told.length = 0
  await Promise.all(callOf(1).map((leg) => platform.edge.record(CallEnded, leg, { messageId: `${leg.legId}:again` })))
  await until('told again', async () => told.includes('leg-1-a') && told.includes('leg-1-b'))
  const sums = await summary()
  assert.deepEqual([sums.legs, sums.cost, sums.ledger], [6, { USD: '0.0293' }, { USD: '0.0293' }])
})

test('a message that is no record goes to the dead letters, the records beside it are stored', async () => {
  const nats = platform.edge.connection
  nats.publish('call.v1.ended.bad-1', 'this is not JSON')
  nats.publish('call.v1.ended.bad-2', JSON.stringify({ legId: 'bad-2' }))
  const [a, b] = callOf(4)
  // A date that JSON Schema lets through and PostgreSQL refuses; and a NUL, which is kept as U+FFFD.
  await end(
    { ...a, legId: 'bad-3', startedAt: '2026-13-45T99:00:00Z' },
    { ...b, from: 'x\0y' },
    { ...a, from: '\\u0000' },
  )
  const sums = await until('dead letters', async () => {
    const got = await summary()
    return got.deadLetters === 3 && got.legs === 8 && got
  })
  assert.deepEqual(sums.ledger, sums.cost)
  const { rows } = await database.pool.query(
    'SELECT subject, convert_from(raw, $1) AS raw FROM billing.dead_letters ORDER BY 1',
    ['UTF8'],
  )
  assert.deepEqual(
    rows.map((row) => row.subject),
    ['call.v1.ended.bad-1', 'call.v1.ended.bad-2', 'call.v1.ended.bad-3'],
  )
  assert.equal(rows[0].raw, 'this is not JSON')
  const { cdrs } = await list({ callId: 'call-4' })
  assert.deepEqual(cdrs.map((cdr) => cdr.from).sort(), ['\\u0000', 'x\uFFFDy'])
  await until('the edge may forget them', async () => ['bad-1', 'bad-2', 'bad-3'].every((leg) => told.includes(leg)))
})

test('pages follow each other without gap or repetition, newest first', async () => {
  const all = await list({ limit: 1000 })
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit: 3, ...(cursor === undefined ? {} : { cursor }) })
    assert.deepEqual([page.legs, page.calls], [all.legs, all.calls])
    seen.push(...page.cdrs.map((cdr) => cdr.legId))
    cursor = page.next
  } while (cursor !== undefined)
  assert.deepEqual(
    seen,
    all.cdrs.map((cdr) => cdr.legId),
  )
  assert.equal(new Set(seen).size, 8)
  assert.equal((await list({ user: 'alice', trunk: 'itsp-a' })).legs, 2)
  assert.equal((await list({ from: '2030-01-01T00:00:00Z' })).legs, 0)
  assert.equal((await platform.console.ask(ListCdrs, { cursor: 'bogus' })).kind, 'refused')
})

test('the savings rest on the stored calls', async () => {
  const asked = await platform.console.ask(ShowSavings, { inputs: { 'pri-monthly': '500' } })
  assert.equal(asked.kind, 'answer', JSON.stringify(asked))
  const { answer } = asked as Extract<typeof asked, { kind: 'answer' }>
  assert.equal(answer.currency, 'USD')
  assert.deepEqual(
    answer.ways.map((way) => way.name),
    ['pri-per-site', 'sip-per-minute', 'channel-packs', 'bandwidth-p95'],
  )
  assert.deepEqual([answer.inputs.calls, answer.inputs['pri-monthly']], ['4', '500'])
})

test('legs that end while billing and then PostgreSQL are killed are all stored once, and the sums agree', async () => {
  const ended = (from: number, to: number) =>
    end(...Array.from({ length: to - from }, (_, i) => callOf(from + i)).flat())
  await ended(100, 200)
  await stop() // billing goes away in the middle of it
  await ended(200, 300)
  await startAgain()
  await until('some stored', async () => {
    const asked = await platform.console.ask(SummariseBilling, {})
    return asked.kind === 'answer' && asked.answer.legs > 8
  })
  process.kill(platform.server.pid, 'SIGKILL')
  await ended(300, 400)
  await platform.startDatabaseAgain()
  const sums = await until(
    'all',
    async () => {
      const asked = await platform.console.ask(SummariseBilling, {})
      return asked.kind === 'answer' && asked.answer.legs === 608 && asked.answer
    },
    40_000,
  )
  assert.equal(sums.calls, 304)
  assert.deepEqual(sums.ledger, sums.cost)
  // call 1, 4 and the 300: 0.0293 each
  assert.deepEqual(sums.cost, { USD: '8.8486' })
  await until('all told', async () => new Set(told).size >= 600)
})

test('NATS killed while records are taken in: nothing lost, nothing twice', async () => {
  const calls = Array.from({ length: 100 }, (_, i) => callOf(500 + i)).flat()
  await end(...calls.slice(0, 100))
  await platform.nats.crash()
  await platform.nats.start()
  await end(...calls)
  const sums = await until(
    'all',
    async () => {
      const asked = await platform.console.ask(SummariseBilling, {})
      return asked.kind === 'answer' && asked.answer.legs >= 808 && asked.answer
    },
    40_000,
  )
  assert.deepEqual([sums.legs, sums.calls], [808, 404])
  assert.deepEqual(sums.ledger, sums.cost)
})

test('the calls of a user are listed with all their legs, also those that name no user', async () => {
  const [userLeg, { user: _, ...trunkLeg }] = callOf(9000)
  await end({ ...userLeg, user: 'walter' }, trunkLeg)
  const found = await until('both legs', async () => {
    const answer = await list({ user: 'walter' })
    return answer.legs === 2 && answer
  })
  assert.deepEqual(found.cdrs.map((cdr) => cdr.legId).sort(), ['leg-9000-a', 'leg-9000-b'])
  assert.equal((await list({ user: 'walter', trunk: 'itsp-a' })).legs, 1)
})
