/** billing.md B5: legs that no edge ends, and the truth that comes late. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BillingStored, type Cdr, ListCdrs, SummariseBilling } from '@tandem/contracts/billing.ts'
import {
  CallAnswered,
  CallCorrected,
  CallEnded,
  CallInterim,
  type Leg,
  type LegRecord,
} from '@tandem/contracts/call.ts'
import type { Body } from '@tandem/contracts/contract.ts'
import type { Database } from '@tandem/store/database.ts'
import { type Billing, startBilling } from '../src/service.ts'
import { callOf, end, type Platform, quietLog, startPlatform, until } from './platform.ts'

/** Facts of the calls here come this often, ms: silent for three of them and the grace, a leg is gone. */
const NEXT_MS = 400
const orphans = { lookMs: 100, graceMs: 400 }
const SILENCE_MS = 3 * NEXT_MS + orphans.graceMs

let platform: Platform
const running: { billing: Billing; database: Database }[] = []
const told: string[] = []

before(async () => {
  platform = await startPlatform()
  platform.edge.hear(BillingStored, ({ legIds }) => void told.push(...legIds))
  await platform.edge.flush()
})
after(() => platform.close())
afterEach(stopAll)

async function start(): Promise<void> {
  const database = await platform.openDatabase()
  const billing = startBilling({ bus: await platform.nats.bus('billing'), database, log: quietLog, orphans })
  running.push({ billing, database })
  await until('ready', async () => billing.notReady() === undefined)
}

async function stopAll(): Promise<void> {
  for (const { billing, database } of running.splice(0)) {
    await billing.stop()
    await database.close()
  }
}

/** What every fact of the leg of this record says. */
function legOf(record: LegRecord, seq: number): Leg {
  const { callId, legId, edge, role, party, user, costCentre, from, dialled, to, sent, emergency } = record
  const { attempt, sipCallId, answeredAt } = record
  const known = { callId, legId, edge, role, party, from, dialled, emergency, attempt, sipCallId }
  const more = { user, costCentre, to, ...(sent === undefined ? {} : { sent }) } as Pick<Leg, 'user' | 'to'>
  return { ...known, ...more, seq, at: answeredAt as string }
}

const answered = (record: LegRecord): Body<typeof CallAnswered> => ({
  ...legOf(record, 3),
  nextMs: NEXT_MS,
  setupMs: record.setupMs as number,
  codec: 'PCMU',
})

const interim = (record: LegRecord, n: number, durationMs: number): Body<typeof CallInterim> => ({
  ...legOf(record, 3 + n),
  nextMs: NEXT_MS,
  durationMs,
  media: record.media as NonNullable<LegRecord['media']>,
})

async function cdrsOf(callId: string): Promise<Cdr[]> {
  const asked = await platform.console.ask(ListCdrs, { callId })
  return asked.kind === 'answer' ? asked.answer.cdrs.sort((a, b) => (a.legId < b.legId ? -1 : 1)) : []
}

const cdrs = (callId: string, count: number) =>
  until(`${count} CDRs of ${callId}`, async () => {
    const found = await cdrsOf(callId)
    return found.length === count && found
  })

async function summary() {
  const asked = await platform.console.ask(SummariseBilling, { closePartial: true })
  assert.equal(asked.kind, 'answer')
  return (asked as Extract<typeof asked, { kind: 'answer' }>).answer
}

/** As the edge's outbox does: the subject is taken, so it is a correction. `again`: redelivered under another id. */
async function truth(record: LegRecord, again = ''): Promise<void> {
  const messageId = `${record.legId}:${record.seq}${again}`
  assert.equal(await platform.edge.record(CallEnded, record, { messageId }), 'occupied')
  assert.equal(await platform.edge.record(CallCorrected, record, { messageId }), 'stored')
}

test('legs that no edge ends are priced to their last proof, estimated, once although two billings look', async () => {
  await start()
  await start()
  const [alice, trunk] = callOf(1)
  const help = callOf(2).map((leg) => ({ ...leg, emergency: true })) as [LegRecord, LegRecord]
  for (const leg of [alice, trunk, ...help]) platform.edge.tell(CallAnswered, answered(leg))
  for (const leg of [alice, trunk]) platform.edge.tell(CallInterim, interim(leg, 1, 30_000))
  const [user, carrier] = (await cdrs('call-1', 2)) as [Cdr, Cdr]
  for (const cdr of [user, carrier]) {
    assert.deepEqual([cdr.estimated, cdr.corrected, cdr.durationMs, cdr.endedBy], [true, undefined, 30_000, 'tandem'])
    assert.equal(cdr.answeredAt, alice.answeredAt)
    assert.equal(Date.parse(cdr.endedAt), Date.parse(alice.answeredAt as string) + 30_000)
    assert.equal(cdr.setupMs, 2000.25)
  }
  // 30 s × 0.0175/min + 0.01
  assert.equal(carrier.cost.amount, '0.0188')
  assert.equal(carrier.media?.received.packets, 3050)
  // answered and never heard of again: nothing is proven but the answer, and a call for help has its record as all others
  for (const cdr of await cdrs('call-2', 2)) {
    assert.deepEqual([cdr.estimated, cdr.durationMs, cdr.cost.kind, cdr.emergency], [true, 0, 'free', true])
  }
  await sleep(2 * SILENCE_MS)
  const sums = await summary()
  assert.deepEqual([sums.calls, sums.legs], [2, 4])
  assert.deepEqual(sums.ledger, { USD: '0.0188' })
})

test('the true end that comes late replaces the estimate: one CDR, its price by reversing entries, twice equals once', async () => {
  await start()
  await start()
  const before = (await summary()).samples.find((s) => s.trunk === 'itsp-a')
  const [alice, trunk] = callOf(1)
  told.length = 0
  await Promise.all([truth({ ...alice, seq: 104 }), truth({ ...trunk, seq: 104 })])
  const corrected = async () => (await cdrsOf('call-1')).every((cdr) => cdr.corrected === true)
  await until('corrected', corrected)
  for (const cdr of await cdrsOf('call-1')) {
    assert.deepEqual([cdr.estimated, cdr.durationMs, cdr.endedBy], [false, 61_000.75, 'caller'])
  }
  await until('the edge may forget it', async () => [alice, trunk].every((leg) => told.includes(leg.legId)))
  await truth({ ...trunk, seq: 104, durationMs: 99_000 }, ':again')
  told.length = 0
  await until('told again', async () => told.includes(trunk.legId))

  const [, carrier] = (await cdrsOf('call-1')) as [Cdr, Cdr]
  assert.deepEqual([carrier.cost.amount, carrier.durationMs], ['0.0293', 61_000.75])
  const sums = await summary()
  assert.deepEqual([sums.calls, sums.legs, sums.ledger], [2, 4, { USD: '0.0293' }])
  assert.deepEqual(sums.cost, sums.ledger)
  // the same bytes, over another span of time
  const after = sums.samples.filter((s) => s.trunk === 'itsp-a').reduce((sum, s) => sum + s.bytesIn, 0)
  assert.equal(after, before?.bytesIn)
  const { database } = running[0] as (typeof running)[number]
  const { rows } = await database.pool.query(
    `SELECT amount::float8 AS amount, reverses IS NOT NULL AS reversing FROM billing.ledger
     WHERE leg_id = $1 AND kind = 'cost' ORDER BY entry_id`,
    [trunk.legId],
  )
  assert.deepEqual(
    rows.map((row) => [row.amount, row.reversing]).sort((a, b) => Number(a[1]) - Number(b[1])),
    [
      [0.0188, false],
      [0.0293, false],
      [-0.0188, true],
    ],
  )
  const versions = await database.pool.query('SELECT record FROM billing.leg_versions WHERE leg_id = $1', [trunk.legId])
  assert.deepEqual(
    versions.rows.map((row) => row.record.durationMs),
    [30_000],
  )
})

test('a truth that comes before the estimate is the record, and the estimate is nothing new', async () => {
  await start()
  const [, trunk] = callOf(3)
  await platform.edge.record(CallCorrected, trunk, { messageId: 'first' })
  await cdrs('call-3', 1)
  await end(platform.edge, { ...trunk, estimated: true, durationMs: 1000 })
  await until('told', async () => told.filter((leg) => leg === trunk.legId).length === 2)
  const [cdr] = (await cdrsOf('call-3')) as [Cdr]
  assert.deepEqual([cdr.estimated, cdr.corrected, cdr.durationMs], [false, undefined, 61_000.75])
})

test('billing was away: live calls whose facts wait in the stream are not ended, nor those that are told of after it is back', async () => {
  await start()
  const live = callOf(4)
  const ended = callOf(5)
  for (const leg of [...live, ...ended]) platform.edge.tell(CallAnswered, answered(leg))
  await sleep(NEXT_MS)
  await stopAll()
  let n = 0
  const tell = () => {
    n++
    for (const leg of live) platform.edge.tell(CallInterim, interim(leg, n, n * NEXT_MS))
  }
  tell()
  await sleep(2 * SILENCE_MS)
  await end(platform.edge, ...ended)
  await start()
  for (let spoken = 0; spoken < 3 * SILENCE_MS; spoken += NEXT_MS) {
    tell()
    await sleep(NEXT_MS)
    assert.deepEqual(await cdrsOf('call-4'), [], 'it is up')
  }
  for (const cdr of await cdrs('call-5', 2)) assert.equal(cdr.estimated, false)
  for (const cdr of await cdrs('call-4', 2)) {
    assert.deepEqual([cdr.estimated, cdr.durationMs], [true, n * NEXT_MS])
  }
})
