import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '@tandem/config/check.ts'
import { decksToRehearse } from '../src/domain/rehearsal.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
function configuration(...changes: (readonly [string, string])[]) {
  const text = changes.reduce((all, [from, to]) => all.replace(from, () => to), acme)
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  assert.ok(checked.kind === 'ok', JSON.stringify(checked))
  return checked.configuration
}
const file = 'rates/itsp-a.csv'
const compared = configuration(['trunks: [itsp-b], select: cost', 'trunks: [itsp-a, itsp-b], select: cost'])

test('a rehearsal gets the decks that decide the order of trunks', () => {
  assert.deepEqual(decksToRehearse(compared, { [file]: 'prefix\n' }), { decks: { [file]: 'prefix\n' }, left: [] })
})
test('and no other: where nothing is compared by cost none is sent', () => {
  assert.deepEqual(decksToRehearse(configuration(), { [file]: 'prefix\n' }), { decks: {}, left: [] })
})
test('a deck that does not fit into one message is left out and named', () => {
  assert.deepEqual(decksToRehearse(compared, { [file]: 'x'.repeat(3_000_001) }), { decks: {}, left: [file] })
})
