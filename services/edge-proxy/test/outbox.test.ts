import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import { BillingStored } from '@tandem/contracts/billing.ts'
import { CallCorrected, CallEnded } from '@tandem/contracts/call.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Outbox, openOutbox } from '../src/adapters/outbox.ts'
import { legRecordOf } from './leg-records.ts'

let nats: PrivateNats
let bus: Bus
let billing: Bus
let folder: string
const log = createLogger({ service: 'edge-proxy', level: 'silent' })

before(async () => {
  nats = await startPrivateNats()
  bus = await nats.bus('edge-proxy')
  billing = await nats.bus('billing')
  folder = await mkdtemp(join(tmpdir(), 'tandem-outbox-'))
})
after(async () => {
  await nats.close()
  await rm(folder, { recursive: true, force: true })
})

const open = (name: string, more: { againMs?: number } = {}): Outbox =>
  openOutbox({ folder: join(folder, name), bus, log, ...more })

/** Legs that the stream holds, counted by the durable reader of billing. */
function reader(durable: string): { legs: string[]; until(count: number): Promise<void> } {
  const legs: string[] = []
  let look = () => {}
  billing.consume(CallEnded, { durable, batch: 500, gatherMs: 20 }, async (batch) => {
    for (const d of batch) if (d.kind === 'fact') legs.push(d.body.legId)
    look()
  })
  return {
    legs,
    until: (count) =>
      new Promise((done, fail) => {
        const timer = setTimeout(() => fail(new Error(`${legs.length} of ${count} came`)), 15_000)
        look = () => {
          if (legs.length < count) return
          clearTimeout(timer)
          done()
        }
        look()
      }),
  }
}

async function eventually(what: () => boolean, why: string): Promise<void> {
  const until = performance.now() + 10_000
  while (!what()) {
    if (performance.now() > until) throw new Error(why)
    await new Promise((done) => setTimeout(done, 20))
  }
}

test('a thousand records reach the stream once each, and leave when billing has stored them', async () => {
  const stream = reader('billing-one')
  const outbox = open('one')
  for (let i = 0; i < 1000; i++) outbox.put(legRecordOf(`one-${i}`), undefined)
  assert.equal(outbox.size(), 1000)
  await stream.until(1000)
  assert.equal(new Set(stream.legs).size, 1000)
  billing.tell(BillingStored, { legIds: stream.legs.slice(0, 400) })
  await eventually(() => outbox.size() === 600, 'the stored ones are forgotten')
  await outbox.close()
  const again = open('one')
  assert.equal(again.size(), 600, 'the others are still there after a restart')
  billing.tell(BillingStored, { legIds: stream.legs })
  await eventually(() => again.size() === 0, 'all are forgotten')
  await again.close()
  assert.equal(stream.legs.length, 1000, 'nothing came twice')
})

test('records of a process that was killed with -9 are published by the next one', async () => {
  const place = join(folder, 'killed')
  const script = `
    import { openOutbox } from ${JSON.stringify(new URL('../src/adapters/outbox.ts', import.meta.url).href)}
    import { legRecordOf } from ${JSON.stringify(new URL('./leg-records.ts', import.meta.url).href)}
    const away = { connected: false, recordText: () => Promise.reject(new Error('away')), hear: () => async () => {} }
    const quiet = { warn() {}, error() {} }
    const outbox = openOutbox({ folder: ${JSON.stringify(place)}, bus: away, log: quiet })
    for (let i = 0; i < 50; i++) outbox.put(legRecordOf('killed-' + i), undefined)
    setImmediate(() => setImmediate(() => console.log('written')))
    setInterval(() => {}, 1000)
  `
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const stream = reader('billing-killed')
  const outbox = open('killed')
  assert.equal(outbox.size(), 50)
  await eventually(() => stream.legs.filter((l) => l.startsWith('killed-')).length === 50, 'all 50 come')
  await outbox.close()
})

test('while NATS is away records wait, and go out when it is back; none is lost, none comes twice', async () => {
  const stream = reader('billing-away')
  const outbox = open('away')
  for (let i = 0; i < 20; i++) outbox.put(legRecordOf(`away-a-${i}`), undefined)
  await nats.crash()
  for (let i = 0; i < 200; i++) outbox.put(legRecordOf(`away-b-${i}`), undefined)
  await new Promise((done) => setTimeout(done, 400))
  await nats.start()
  const mine = () => stream.legs.filter((l) => l.startsWith('away-'))
  await eventually(() => new Set(mine()).size === 220, `220 come`)
  await outbox.close()
})

test('what billing never confirms is published again, and the stream takes no second one', async () => {
  const outbox = open('again', { againMs: 100 })
  outbox.put(legRecordOf('again-1'), undefined)
  await new Promise((done) => setTimeout(done, 500))
  assert.equal(outbox.size(), 1)
  billing.tell(BillingStored, { legIds: ['again-1'] })
  await eventually(() => outbox.size() === 0, 'forgotten at last')
  await outbox.close()
})

test('a disk that refuses ends nothing: records go out from memory, and are written when it takes them again', async () => {
  const stream = reader('billing-refused')
  const outbox = open('refused')
  const disk = new DatabaseSync(join(folder, 'refused', 'outbox.db'))
  const refuse = (what: string) =>
    `CREATE TRIGGER no_${what} BEFORE ${what} ON leg BEGIN SELECT RAISE(ABORT, 'full'); END`
  for (const what of ['INSERT', 'UPDATE', 'DELETE']) disk.exec(refuse(what))
  for (let i = 0; i < 20; i++) outbox.put(legRecordOf(`refused-${i}`), undefined)
  const mine = () => stream.legs.filter((leg) => leg.startsWith('refused-'))
  await eventually(() => mine().length === 20, 'all come although none could be written')
  billing.tell(BillingStored, { legIds: mine().slice(0, 5) })
  await eventually(() => outbox.size() === 15, 'what billing has is forgotten from memory')
  for (const what of ['INSERT', 'UPDATE', 'DELETE']) disk.exec(`DROP TRIGGER no_${what}`)
  const rows = () => Number((disk.prepare('SELECT count(*) AS n FROM leg').get() as { n: number }).n)
  await eventually(() => rows() === 15, 'the others are written')
  billing.tell(BillingStored, { legIds: mine() })
  await eventually(() => outbox.size() === 0 && rows() === 0, 'all are forgotten')
  await outbox.close()
  disk.close()
  assert.equal(new Set(mine()).size, mine().length, 'none came twice')
})

test('what billing said while the edge was away is made up for', async () => {
  const stream = reader('billing-missed')
  const before = open('missed')
  before.put(legRecordOf('missed-1'), undefined)
  await eventually(() => stream.legs.includes('missed-1'), 'published')
  await before.close()
  await billing.record(BillingStored, { legIds: ['missed-1'] }, { messageId: 'stored:missed' })
  const again = open('missed', { againMs: 100 })
  assert.equal(again.size(), 1)
  await eventually(() => again.size() === 0, 'forgotten')
  await again.close()
})

test('a record whose place another one has taken goes out as a correction, once, and again only as one', async () => {
  const corrections: string[] = []
  billing.consume(CallCorrected, { durable: 'billing-truths' }, async (batch) => {
    for (const d of batch) if (d.kind === 'fact') corrections.push(`${d.body.legId} ${d.body.estimated}`)
  })
  const estimate = { ...legRecordOf('late-1'), estimated: true }
  assert.equal(await billing.record(CallEnded, estimate, { messageId: 'late-1:estimated' }), 'stored')
  const outbox = open('late', { againMs: 200 })
  outbox.put(legRecordOf('late-1'), undefined)
  outbox.put(legRecordOf('late-2'), undefined)
  await eventually(() => corrections.length === 1, 'the truth comes')
  // both are told again and again until billing has them: neither becomes a correction by that
  await new Promise((done) => setTimeout(done, 800))
  await outbox.close()
  const again = open('late')
  assert.equal(again.size(), 2)
  // it hears from here on
  await bus.flush()
  billing.tell(BillingStored, { legIds: ['late-1', 'late-2'] })
  await eventually(() => again.size() === 0, 'forgotten')
  await again.close()
  assert.deepEqual(corrections, ['late-1 false'])
})
