import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '@tandem/config/check.ts'
import { workWatch } from '@tandem/testing/when-busy.ts'
import { holdingChanges, holdingOf } from '../src/domain/number-history.ts'
import { findNumber, listNumbers, readNumberFile } from '../src/domain/number-list.ts'
import { findIn, packNumbers, pageOf, viewAt } from '../src/domain/number-table.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
/** The example with these entries as its inventory. */
const listed = (entries: string, change?: (text: string) => string) => listNumbers(configurationOf(entries, change))
function configurationOf(entries: string, change: (text: string) => string = (text) => text) {
  const text = change(
    acme.replace(/\nnumbers:[\s\S]*?\n(?=\S)/, '\n').replace('\nlocations:', `\nnumbers:\n${entries}\nlocations:`),
  )
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }], lint: false })
  assert.ok(checked.kind === 'ok', JSON.stringify(checked))
  return checked.configuration
}
const inventory = `  - { range: "+14255551000-+14255551999", failover: bob, note: main block }
  - { number: "+14255551001", failover: bob }
  - { number: "+14255551700", user: bob }
  - { number: "+14255551800", reserved: true, note: for the new office }
`

test('every number has its state: a range says how many of its numbers somebody has', () => {
  const list = listed(inventory)
  const [range] = list
  assert.deepEqual(range, {
    ...{ number: '+14255551000', last: '+14255551999', kind: 'range', state: 'unassigned', size: 1000 },
    // alice, bob, the number of bob's, the reserved one, and the two ELINs of the site
    ...{ failover: 'bob', note: 'main block', assigned: 6 },
  })
  const said = list.map(({ number, kind, state, user, site }) => [number, kind, state, user ?? site].join(' '))
  for (const line of [
    '+14255551001 did assigned alice',
    '+14255551700 number assigned bob',
    '+14255551800 number reserved ',
    '+14255551900 elin emergency hq',
  ])
    assert.ok(said.includes(line), `${line} in\n${said.join('\n')}`)
  assert.equal(
    list.find(({ number }) => number === '+14255551001')?.failover,
    'bob',
    'the DID keeps what the entry says',
  )
})
test('numbers of a file are listed with the others', () => {
  const rows =
    'number,user,reserved,failover,policy,note\n+14255558001,bob,,,,"his, too"\n+14255558100-+14255558199,,true,,,\n'
  const file = readNumberFile(rows)
  const { users, emergency, numbers } = configurationOf(inventory)
  const list = listNumbers({ users, emergency, numbers }, file)
  assert.equal(findNumber(list, '+14255558001')?.user, 'bob')
  assert.equal(findNumber(list, '+14255558150')?.state, 'reserved')
  assert.equal(findNumber(list, '+14255551700')?.user, 'bob')
})
test('a number is found by its own entry, else by the range around it', () => {
  const list = listed(inventory)
  assert.equal(findNumber(list, '+14255551800')?.state, 'reserved')
  assert.equal(findNumber(list, '+14255551555')?.kind, 'range')
  assert.equal(findNumber(list, '+14255552555'), undefined)
})
test('the history says with which revision a number changed hands', () => {
  const number = '+14255551700'
  const to = (user: string) => inventory.replace('1700", user: bob', `1700", user: ${user}`)
  const revisions = [inventory.replace(/.*1700.*\n/, ''), to('bob'), to('bob'), to('alice')].map((entries, i) => ({
    ...{ revision: i + 1, at: `2026-03-0${i + 1}T00:00:00Z`, by: 'ops', why: `change ${i + 1}` },
    ...holdingOf(listed(entries), number),
  }))
  assert.deepEqual(
    holdingChanges(revisions).map(({ revision, state, user, why }) => [revision, state, user, why]),
    [
      [4, 'assigned', 'alice', 'change 4'],
      [2, 'assigned', 'bob', 'change 2'],
      [1, 'unassigned', undefined, 'change 1'],
    ],
  )
})
test('ten thousand users and their block are listed in no time', () => {
  const users = Array.from(
    { length: 10_000 },
    (_, i) =>
      `  u${i}: { did: "+1425600${String(i).padStart(4, '0')}", site: hq, policy: staff, password: { env: BOB_PASSWORD } }`,
  )
  const entries = '  - { range: "+14256000000-+14256009999" }\n'
  const text = (all: string) => all.replace('\nusers:\n', `\nusers:\n${users.join('\n')}\n`)
  const list = listed(entries, text)
  const took = workWatch()
  assert.equal(list.find(({ kind }) => kind === 'range')?.assigned, 10_000)
  assert.ok(took() < 1000, `${took()} ms`)
})
test('packed into flat arrays the list says the same, by page, by state, by first digits and by number', () => {
  const list = listed(inventory)
  const table = packNumbers(list)
  assert.deepEqual(
    list.map((_, i) => viewAt(table, i)),
    list,
  )
  for (const startsWith of ['+1', '+14255551', '+142555518', '+49', '+14255551700', undefined])
    for (const state of ['assigned', 'unassigned', 'reserved', undefined] as const)
      for (const user of ['bob', undefined]) {
        const fitting = list.filter(
          (view) =>
            (state === undefined || view.state === state) &&
            (user === undefined || view.user === user) &&
            (startsWith === undefined || view.number.startsWith(startsWith)),
        )
        const { numbers, total } = pageOf(table, { state, user, startsWith }, 1, 3)
        assert.deepEqual([numbers, total], [fitting.slice(1, 4), fitting.length], `${startsWith} ${state} ${user}`)
      }
  for (const number of ['+14255551000', '+14255551001', '+14255551700', '+14255551555', '+14255552555', '+1', '+49'])
    assert.deepEqual(findIn(table, number), findNumber(list, number), number)
})
