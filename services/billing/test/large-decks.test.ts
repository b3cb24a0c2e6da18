/** Decks of a vendor's size are taken over: legs that end meanwhile are priced, and each by one revision or the other. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { writeRevision } from '@tandem/config/revision.ts'
import { BillingRated } from '@tandem/contracts/billing.ts'
import { ListConfigFollowers } from '@tandem/contracts/config.ts'
import { readDeck } from '@tandem/rating/deck.ts'
import type { Database } from '@tandem/store/database.ts'
import { tariffsAside } from '../src/adapters/tariffs-aside.ts'
import type { Tariffs } from '../src/domain/tariffs.ts'
import { type Billing, startBilling } from '../src/service.ts'
import { CONFIGURATION, callOf, end, type Platform, quietLog, REVISION, startPlatform, until } from './platform.ts'

const PREFIXES = 100_000
const prefixAt = (i: number) => `1${206 + (i % 700)}${String(Math.floor(i / 700)).padStart(4, '0')}`
const users = Array.from(
  { length: 3000 },
  (_, i) =>
    `  u${i}: { did: "+1509${5_000_000 + i}", mobile: "+1360${5_000_000 + i}", site: hq, policy: staff, password: { env: P } }\n`,
).join('')
const second = '  second: { kind: per-minute, currency: USD, file: rates/b.csv }'
const text = CONFIGURATION.replace('users:\n', `users:\n${users}`).replace('\nprices:', `\n${second}\nprices:`)

/** A minute to North America costs `price`. */
const deck = (price: string, prefixes: number) =>
  ['prefix,name,connect,perMinute', `1,North America,0,${price}`]
    .concat(Array.from({ length: prefixes }, (_, i) => `${prefixAt(i + 700)},Exchange ${i},0,${price}`))
    .join('\n')
const large = (revision: number, price: string, { prefixes = PREFIXES, other = '0.05' } = {}) =>
  writeRevision({
    ...{ ...REVISION, revision, source: [{ path: 'tandem.yaml', text }] },
    decks: { 'rates/a.csv': deck(price, prefixes), 'rates/b.csv': deck(other, prefixes) },
  })

let platform: Platform
let database: Database
let billing: Billing
/** When the trunk's leg was told as rated, and its cost per minute in the words of billing. */
const rated = new Map<string, { at: number; explanation: string }>()

before(async () => {
  platform = await startPlatform()
  database = await platform.openDatabase()
  platform.console.hear(BillingRated, ({ cdrs }) => {
    for (const { legId, cost } of cdrs) rated.set(legId, { at: performance.now(), explanation: cost.explanation ?? '' })
  })
  await platform.console.flush()
  billing = startBilling({ bus: await platform.nats.bus('billing'), database, log: quietLog })
})
after(async () => {
  await billing.stop()
  await database.close()
  await platform.close()
})

function timeOf(work: () => void): number {
  const began = performance.now()
  work()
  return performance.now() - began
}

const inForce = async (revision: number) =>
  (await platform.console.askAll(ListConfigFollowers, {}, 1000, (all) => all.length > 0)).some(
    (one) => one.revision === revision,
  )

test('legs are priced while two decks of 100,000 prefixes are taken over, by the deck before until the new one is in force', {
  timeout: 120_000,
}, async () => {
  const bytes = large(2, '0.5000')
  const ended = new Map<string, number>()
  let n = 0
  const one = async () => {
    const [, leg] = callOf(n++)
    ended.set(leg.legId, performance.now())
    await end(platform.edge, leg)
  }
  await one()
  await until('the first leg is priced', async () => rated.size === 1)
  await (await platform.console.bucket('config')).put('current', bytes)
  let over = false
  const taking = until('the large decks are in force', () => inForce(2), 90_000).then(() => {
    over = true
  })
  while (!over) {
    await one()
    await pause(20)
  }
  await taking
  await one()
  await until('every leg is priced', async () => rated.size === ended.size)
  const waits = [...ended].map(([legId, at]) => (rated.get(legId)?.at ?? Number.POSITIVE_INFINITY) - at)
  const longest = Math.max(...waits)
  const reading = timeOf(() => {
    for (const price of ['0.5000', '0.05'])
      readDeck(deck(price, PREFIXES), { name: 'x', currency: 'USD', timeZone: 'UTC' })
  })
  assert.ok(
    longest < reading,
    `a leg waited ${longest} ms for its price: no less than reading the decks takes (${reading} ms)`,
  )
  const prices = [...ended.keys()].map((legId) => {
    const found = /0\.0175|0\.5/.exec(rated.get(legId)?.explanation ?? '')?.[0]
    assert.ok(found, rated.get(legId)?.explanation)
    return found
  })
  assert.deepEqual(prices, [...prices].sort(), 'the deck before, and then the new one')
  assert.deepEqual([prices[0], prices.at(-1)], ['0.0175', '0.5'])

  const { rows } = await database.pool.query("SELECT deck, csv FROM billing.deck_versions WHERE deck = 'minutes'")
  assert.ok(
    rows.some(({ csv }) => csv === deck('0.5000', PREFIXES)),
    'the text of the deck is kept as it came',
  )
})

test('of two large decks the one whose text is the same is kept, mobiles are known, and a wrong row is told with its line', async () => {
  const made = async (bytes: Uint8Array, before?: Tariffs) => {
    const read = await tariffsAside(bytes, before, false)
    assert.ok(read.kind === 'made', JSON.stringify(read))
    return read.value
  }
  const prefixes = 10_000
  const first = await made(large(3, '0.5000', { prefixes }))
  assert.equal(first.tariffs.mobileOf('u17'), '+13605000017')
  assert.equal(first.tariffs.mobileOf('nobody'), undefined)
  const second = await made(large(4, '0.5000', { prefixes, other: '0.06' }), first.tariffs)
  const deckOf = (tariffs: Tariffs, name: string) => (tariffs.tariffs.get(name) as { deck: object }).deck
  assert.equal(deckOf(second.tariffs, 'minutes'), deckOf(first.tariffs, 'minutes'))
  assert.notEqual(deckOf(second.tariffs, 'second'), deckOf(first.tariffs, 'second'))
  assert.deepEqual([...second.texts.keys()], ['second'])
  const wrong = await tariffsAside(large(5, 'dear', { prefixes }), second.tariffs, false)
  assert.match(
    wrong.kind === 'bad' ? wrong.why : '',
    /^rate decks cannot be read: rate deck minutes, rates\/a\.csv line 2, perMinute: "dear" is not a decimal number/,
  )
})
