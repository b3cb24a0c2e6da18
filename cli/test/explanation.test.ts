import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Explanation } from '@tandem/contracts/routing.ts'
import { describeExplanation } from '../src/print/explanation.ts'

const told = (e: Explanation) => stripVTControlCharacters(describeExplanation({ from: 'alice', to: '912065550100' }, e))

test('a call that goes out is told from who calls to what each trunk is sent', () => {
  const explanation: Explanation = {
    steps: [
      { stage: 'source', item: 'user alice', outcome: 'matched', detail: 'calls from site hq' },
      { stage: 'selection', item: 'trunk itsp-a', outcome: 'matched', detail: 'place 1' },
      { stage: 'normalisation', item: 'rule ten-digit', outcome: 'no-match', detail: 'too short' },
    ],
    decision: {
      ...{ kind: 'route', revision: 1, emergency: false, dialled: '912065550100', normalised: '+12065550100' },
      ...{ usage: 'local', caller: {}, callee: {}, branches: [{ role: 'callee', delayMs: 0, attempts: [] as never }] },
    },
    places: [
      {
        ...{ branch: 0, role: 'callee', delayMs: 0, trunk: 'itsp-a', route: 'puget-sound', usage: 'local' },
        ...{ health: 'up', cost: { deck: 'a', currency: 'USD', perMinute: '0.006' }, called: '12065550100' },
        ...{ calling: '+14255551001', headers: [['Privacy', 'id']] },
      },
    ],
  }
  assert.equal(
    told(explanation),
    `alice dials 912065550100

Who calls
  ✓ user alice  calls from site hq

Which number is meant? (first match wins)
  · rule ten-digit  too short

Which trunks, in which order?
  ✓ trunk itsp-a  place 1

Result
  emergency  no
  number     +12065550100
  usage      local

  the call:
  1. trunk itsp-a  up · route puget-sound · usage local · 0.006 USD a minute (a)
       called   12065550100
       calling  +14255551001
       Privacy: id`,
  )
})

test('a refusal says its SIP status and why', () => {
  const decision = { kind: 'reject', revision: 1, status: 403, reason: 'bob may not call it.' } as const
  assert.match(told({ steps: [], decision }), /refused with SIP 403: bob may not call it\.$/)
})
