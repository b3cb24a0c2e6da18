import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { describeNumber, describeNumbers } from '../src/commands/numbers.ts'

const lines = (text: string) =>
  stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.replace(/ {2,}/g, ' | '))

test('a list of numbers says state, who and where calls go when nobody has it', () => {
  const listed = lines(
    describeNumbers({
      total: 4,
      numbers: [
        { number: '+14255551000', last: '+14255551999', kind: 'range', state: 'unassigned', size: 1000, assigned: 2 },
        {
          number: '+14255551001',
          last: '+14255551001',
          kind: 'did',
          state: 'assigned',
          user: 'alice',
          failover: 'bob',
        },
        { number: '+14255551800', last: '+14255551800', kind: 'number', state: 'reserved', note: 'new office' },
      ],
    }),
  )
  assert.deepEqual(listed, [
    'number | state | who | failover | note',
    '+14255551000 – +14255551999 | 2 of 1000 assigned',
    '+14255551001 | assigned | alice | bob',
    '+14255551800 | reserved | new office',
    '… 1 more (--limit, --state, --starts-with)',
  ])
})
test('a number says who has it and who had it when', () => {
  const at = '2020-03-10T17:00:00.000Z'
  const told = lines(
    describeNumber({
      ...{ number: '+14255551700', state: 'assigned', user: 'alice', since: 1 },
      changes: [
        { revision: 4, at, by: 'ops', why: 'moved', state: 'assigned', user: 'alice' },
        { revision: 2, at, by: 'ops', why: 'bought', state: 'unassigned' },
      ],
    }),
  )
  assert.equal(told[0], '+14255551700 | assigned alice')
  assert.match(told[3] ?? '', /\| 4 \| assigned alice \| ops \| moved$/)
  assert.match(told[4] ?? '', /\| 2 \| unassigned \| ops \| bought$/)
})
