/** Large decks and lists of numbers: found as written, exchanged under traffic without a late or a wrong answer. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from '@tandem/bus/bus.ts'
import { checkConfiguration } from '@tandem/config/check.ts'
import { CONFIG_BUCKET, CONFIG_KEY, deckFiles, writeRevision } from '@tandem/config/revision.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { workWatch } from '@tandem/testing/when-busy.ts'
import { compileTable } from '../src/domain/compile-table.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import { indexNumbers, rangeRow, singleRow } from '../src/domain/number-index.ts'
import { type RoutingService, startRouting } from '../src/service.ts'
import { acmeText, ask, from, plan, refusal, tuesday, walk } from './acme.ts'

const csv = `number,user,reserved,failover,policy
+14255557001,alice,,,
+14255557002,,true,,
+14255557003,,,bob,
+14255557004,,,+12065550199,staff
+14255558000-+14255558999,,,,
`
const text = `${acmeText}\nnumbers:\n  - { file: numbers.csv }\n`
const files = [{ path: 'acme.yaml', text }]

test('numbers from a file are ours: with a user, reserved, with a failover target, in ranges', () => {
  const checked = checkConfiguration({
    files,
    decks: { 'numbers.csv': csv, 'rates/itsp-a.csv': 'prefix,perMinute\n1,0.01\n' },
  })
  assert.ok(checked.kind === 'ok', JSON.stringify(checked))
  assert.ok(deckFiles(checked.configuration).includes('numbers.csv'), 'its text is sent along')
  const table = compileTable(checked.configuration, { revision: 1, decks: { 'numbers.csv': csv } })
  const dial = (number: string) => decideRoute(ask(from.itspA, number), table, tuesday)
  assert.match(walk(dial('+14255557001'))[0] ?? '', /^callee: alice$/)
  assert.match(walk(dial('4255557001'))[0] ?? '', /^callee: alice$/, 'as a carrier writes it')
  assert.match(refusal(dial('+14255557002')).reason, /reserved/)
  assert.deepEqual(walk(dial('+14255557003')), ['callee: bob'])
  assert.match(walk(dial('+14255557004'))[0] ?? '', /^forward: itsp-a 12065550199/)
  assert.equal(refusal(dial('+14255558123')).reason, 'Nobody has +14255558123.')
  assert.equal(refusal(dial('+14255557999')).status, 404, 'beside ours: a wrong number')
  const own = decideRoute(ask(from.alice, '912065550100', { from: { number: '+14255557001' } }), table, tuesday)
  const [first] = plan(own).branches[0]?.attempts ?? []
  assert.equal(first?.kind === 'trunk' && first.calling, '+14255557001', 'a number of hers that she may show')
})
test('a list of numbers with mistakes is refused with the line', () => {
  const wrong = 'number,user\n+14255557001,alice\n5557002,\n+14255557001,nobody\n'
  const checked = checkConfiguration({
    files,
    decks: { 'numbers.csv': wrong, 'rates/itsp-a.csv': 'prefix,perMinute\n' },
  })
  assert.ok(checked.kind === 'bad')
  const said = checked.problems.map(({ file, line, message }) => `${file}:${line} ${message}`)
  assert.deepEqual(said, [
    'numbers.csv:3 "5557002" is no E.164 number',
    'numbers.csv:4 +14255557001 is there twice',
    'numbers.csv:4 there is no user nobody',
  ])
})
test('a number is found among 200,000 as a plain search finds it', () => {
  const numbers = new Set<number>()
  for (let i = 0; numbers.size < 200_000; i++) numbers.add(12_000_000_000 + ((i * 2_654_435_761) % 7_999_999_999))
  const lines = [...numbers].map((n, i) => `+${n},user${i % 7}`)
  const index = indexNumbers(['number,user', ...lines, '+19990000000-+19990000999,user1'].join('\r\n'))
  assert.equal(index.rows.length, 7)
  const all = [...numbers]
  for (let i = 0; i < all.length; i += 97) {
    const number = all[i] as number
    assert.equal(index.rows[singleRow(index, number)]?.user, `user${i % 7}`)
    assert.equal(singleRow(index, number + 1) >= 0, numbers.has(number + 1))
  }
  assert.equal(index.rows[rangeRow(index, 19_990_000_999)]?.user, 'user1')
  assert.equal(rangeRow(index, 19_990_001_000), -1)
})

let nats: PrivateNats
let edge: Bus
let console_: Bus
let routing: RoutingService
before(async () => {
  nats = await startPrivateNats()
  edge = await nats.bus('edge-proxy')
  console_ = await nats.bus('console')
  const log = createLogger({ service: 'routing', level: 'silent' })
  routing = startRouting({ bus: await nats.bus('routing'), log, clock: Date.now })
})
after(async () => {
  await routing.stop()
  await nats.close()
})

/** In odd revisions itsp-a is the cheaper one. */
function revision(n: number): Uint8Array {
  const users = Array.from(
    { length: 2500 },
    (_, i) => `  u${i}: { did: "+1509${String(5_000_000 + i)}", site: hq, policy: staff, password: { env: P } }`,
  )
  const priced = text
    .replace('trunks: [itsp-a, itsp-b] }', 'trunks: [itsp-a, itsp-b], select: cost }')
    .replace('cost: itsp-b-bandwidth', 'cost: itsp-b-minutes')
    .replace('rateDecks:', 'rateDecks:\n  itsp-b-minutes: { kind: per-minute, currency: USD, file: b.csv }')
    .replace('users:\n', `users:\n${users.join('\n')}\n`)
  const deck = (base: number) =>
    ['prefix,name,connect,perMinute', `1206,Seattle,0,${base}`]
      .concat(Array.from({ length: 30_000 }, (_, i) => `44${1000 + i},x,0,0.01`))
      .join('\n')
  const numbers = ['number,user'].concat(Array.from({ length: 40_000 }, (_, i) => `+1360${5_000_000 + i},u${i % 2500}`))
  return writeRevision({
    ...{ revision: n, by: 'test', at: '2026-03-10T17:00:00Z', why: '', source: [{ path: 'acme.yaml', text: priced }] },
    decks: { 'numbers.csv': numbers.join('\n'), 'rates/itsp-a.csv': deck(n % 2 ? 0.001 : 0.009), 'b.csv': deck(0.005) },
  })
}

test('a large table is exchanged while calls are decided: no call waits, none is decided by half of it', {
  timeout: 120_000,
}, async () => {
  const bucket = await console_.bucket(CONFIG_BUCKET)
  await bucket.put(CONFIG_KEY, revision(1))
  for (let i = 0; i < 3000 && routing.ready() !== undefined; i++) await pause(20)
  assert.equal(routing.ready(), undefined)
  let asking = true
  const seen = new Map<number, number>()
  const times: number[] = []
  const wrong: string[] = []
  const traffic = async () => {
    while (asking) {
      const took = workWatch()
      const asked = await edge.ask(ResolveRoute, ask(from.bob, '912065550100'))
      times.push(took())
      // late although this process was idle: the machine did other things
      if (asked.kind === 'late' && took() < 400) continue
      if (asked.kind !== 'answer') wrong.push(asked.kind)
      else {
        const by = asked.answer.revision
        seen.set(by, (seen.get(by) ?? 0) + 1)
        const expected =
          by % 2 ? 'callee: itsp-a 12065550100, itsp-b +12065550100' : 'callee: itsp-b +12065550100, itsp-a 12065550100'
        if (walk(asked.answer)[0] !== expected) wrong.push(`revision ${by}: ${walk(asked.answer)[0]}`)
      }
      const did = await edge.ask(ResolveRoute, ask(from.itspA, '+13605012345'))
      if (did.kind !== 'answer' || walk(did.answer)[0] !== 'callee: u2345') wrong.push('the number of a user')
      await pause(2)
    }
  }
  const all = [traffic(), traffic()]
  for (const n of [2, 3, 4]) {
    await bucket.put(CONFIG_KEY, revision(n))
    for (let i = 0; i < 3000 && routing.revision() !== n; i++) await pause(20)
    assert.equal(routing.revision(), n)
    await pause(100)
  }
  asking = false
  await Promise.all(all)
  assert.deepEqual(wrong, [])
  assert.deepEqual([...seen.keys()], [1, 2, 3, 4])
  assert.ok(Math.max(...times) < 800, `a call waited ${Math.max(...times)} ms: longer than an edge does`)
})
