import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkCivic, civicFields, dispatchableGaps } from '../src/civic.ts'

test('there are the 31 fields of RFC 5139 and the 4 of RFC 6848', () => {
  assert.equal(civicFields.length, 35)
  assert.equal(new Set(civicFields).size, 35)
})

test('fields come back in the order of the schema, whatever order the configuration has', () => {
  const outcome = checkCivic({
    ROOM: '201',
    PC: '98052',
    HNO: '15010',
    A1: 'WA',
    country: 'US',
    STP: 'Via',
    RD: '36th',
  })
  assert(outcome.kind === 'ok')
  assert.deepEqual(Object.keys(outcome.address), ['country', 'A1', 'RD', 'HNO', 'PC', 'ROOM', 'STP'])
})

test('each wrong field is named with what is wrong', () => {
  const outcome = checkCivic({ country: 'us', Street: 'x', RD: '', HNO: 5, FLR: 'a\u0000', LOC: 'x'.repeat(300) })
  assert.deepEqual(outcome, {
    kind: 'invalid',
    problems: [
      { field: 'country', problem: 'bad-country' },
      { field: 'Street', problem: 'unknown-field' },
      { field: 'RD', problem: 'empty' },
      { field: 'HNO', problem: 'not-text' },
      { field: 'FLR', problem: 'bad-character' },
      { field: 'LOC', problem: 'too-long' },
    ],
  })
  assert.equal(checkCivic({}).kind, 'invalid')
  assert.equal(checkCivic(JSON.parse('{"__proto__": "x"}')).kind, 'invalid')
})

test('a dispatchable location needs a street address and a place inside (47 CFR 9.3)', () => {
  const street = { country: 'US', A1: 'WA', A3: 'Redmond', RD: '36th', HNO: '15010', PC: '98052' }
  assert.deepEqual(dispatchableGaps({ ...street, FLR: '2' }), [])
  assert.deepEqual(dispatchableGaps(street), ['FLR'])
  assert.deepEqual(dispatchableGaps({ country: 'US', ROOM: '7' }), ['A1', 'A3', 'RD', 'HNO', 'PC'])
})
