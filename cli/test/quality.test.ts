import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { qualityText } from '../src/print/quality.ts'

const plain = (text: string) => stripVTControlCharacters(text)

test('tandem trunks shows the ratios of a judged trunk, or since when and why it is demoted', () => {
  assert.equal(qualityText({ demoted: false, calls: 0 }), 'no calls to judge')
  const figures = { demoted: false, calls: 42, asr: 0.62, ner: 0.97, pddMs: 1240 }
  assert.equal(qualityText(figures), 'ASR 62 % · NER 97 % · PDD 1.2 s of 42')
  const why = 'ASR 31 % of 42 calls, below 40 %'
  assert.match(
    plain(qualityText({ demoted: true, calls: 3, why, since: '2026-03-10T17:00:00Z' })),
    /^demoted since .*: ASR 31 %/,
  )
})
