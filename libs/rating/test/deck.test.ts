import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMoney } from '@tandem/money/money.ts'
import { type Deck, readDeck } from '../src/deck.ts'

const source = { name: 'itsp-a-minutes', currency: 'USD', timeZone: 'America/Los_Angeles' }

function deckOf(csv: string): Deck {
  const reading = readDeck(csv, source)
  assert.equal(reading.kind, 'deck', JSON.stringify(reading))
  return (reading as { kind: 'deck'; deck: Deck }).deck
}

function errorsOf(csv: string): string[] {
  const reading = readDeck(csv, source)
  assert.equal(reading.kind, 'invalid')
  return (reading as { kind: 'invalid'; errors: { line: number; column: string; reason: string }[] }).errors.map(
    ({ line, column, reason }) => `${line} ${column}: ${reason}`,
  )
}

const now = Date.UTC(2026, 10, 23)

test('a deck is read from its file, in any column order, with quotes and a byte order mark', () => {
  const deck = deckOf(
    '\uFEFFname,prefix,perMinute,connect,from,to\r\n"Seattle, WA",+1206,0.0175,0.01,,\r\nWorld,,0.5,,,\r\n',
  )
  assert.equal(deck.size, 2)
  const seattle = deck.find('+12065550142', now)
  assert.equal(seattle?.name, 'Seattle, WA')
  assert.equal(formatMoney(seattle?.perMinute ?? 0n), '0.0175')
  assert.equal(formatMoney(seattle?.connect ?? 0n), '0.01')
  assert.equal(deck.find('442079460000', now)?.name, 'World')
})

test('the longest prefix wins even when a shorter one is cheaper', () => {
  const deck = deckOf('prefix,name,connect,perMinute,from,to\n1,US,0,0.001,,\n1425,Puget Sound,0,9,,\n')
  assert.equal(deck.find('+14255551001', now)?.name, 'Puget Sound')
})

test('a price holds from its first to before its last moment, in the zone of the deck', () => {
  const deck = deckOf(
    'prefix,name,perMinute,from,to\n1,old,1,,2026-07-01\n1,new,2,2026-07-01,\n14,summer,3,2026-07-01,2026-08-01\n',
  )
  const midnight = Date.parse('2026-07-01T00:00:00-07:00')
  assert.equal(deck.find('1555', midnight - 1)?.name, 'old')
  assert.equal(deck.find('1555', midnight)?.name, 'new')
  assert.equal(deck.find('1425', midnight - 1)?.name, 'old')
  assert.equal(deck.find('1425', midnight)?.name, 'summer')
  assert.equal(deck.find('1425', Date.parse('2026-08-01T00:00:00-07:00'))?.name, 'new')
})

test('each wrong row is named by line and column, all of them at once', () => {
  assert.deepEqual(
    errorsOf(
      'prefix,name,connect,perMinute,from,to\n1x,a,0,1,,\n2,b,free,1,,\n3,c,0,,,\n4,d,0,-1,,\n5,e,0,1,2026-02-30,\n',
    ),
    [
      '2 prefix: "1x" is not a prefix of digits',
      '3 connect: "free" is not a decimal number',
      '4 perMinute: "" is not a decimal number',
      '5 perMinute: -1 is negative',
      '6 from: "2026-02-30" is no date; write 2026-01-31 or 2026-01-31T08:00:00Z',
    ],
  )
  assert.deepEqual(errorsOf('prefix,perMinute\n1,1\n44,2\n1,3\n'), [
    '4 prefix: prefix 1 with the same from is already on line 2',
  ])
  assert.deepEqual(errorsOf('prefix,cost\n1,1\n'), [
    '1 cost: unknown column; the columns are prefix,name,connect,perMinute,from,to',
    '1 perMinute: the header line lacks this column',
  ])
  assert.deepEqual(errorsOf('prefix,perMinute,from,to\n1,1,2026-02-01,2026-01-01\n'), ['2 to: ends before it begins'])
  assert.deepEqual(errorsOf('prefix,perMinute\n1,1,5\n'), ['2 prefix: 3 fields where the header has 2'])
  assert.equal(errorsOf('').length, 1)
  assert.equal(errorsOf('prefix,perMinute\n"1,2\n').length, 1)
})

test('the version changes with the content and with nothing else', () => {
  const csv = 'prefix,perMinute\n1,1\n'
  assert.equal(deckOf(csv).version, deckOf(csv).version)
  assert.notEqual(deckOf(csv).version, deckOf(`${csv}2,1\n`).version)
})

test('200,000 rows are read and answer', () => {
  const lines = ['prefix,name,connect,perMinute,from,to']
  for (let i = 0; i < 200_000; i += 1) lines.push(`${1_000_000 + i},Place ${i % 500},0,0.0${100 + (i % 800)},,`)
  const deck = deckOf(lines.join('\n'))
  assert.equal(deck.size, 200_000)
  assert.equal(deck.find('+11234565550100', now)?.name, `Place ${123_456 % 500}`)
})
