/** Thresholds of trunk quality that could never demote, or never let a trunk come back. */
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import { parseDuration } from './units.ts'

const percent = (written: string): number => Number(written.slice(0, -1))

export function qualityProblems(d: ConfigurationDocument, found: Findings): void {
  for (const [name, { quality }] of Object.entries(d.trunks)) {
    if (quality === undefined) continue
    const at = ['trunks', name, 'quality']
    if (!quality.asr && !quality.ner && !quality.pdd)
      found.problem(at, 'nothing says what bad quality is', 'Add asr: { below: 40%, back: 55% }, ner or pdd.', 'key')
    for (const kind of ['asr', 'ner'] as const) {
      const ratio = quality[kind]
      if (ratio === undefined) continue
      for (const [key, value] of Object.entries(ratio)) between(value, [...at, kind, key], found)
      const { below, back } = ratio
      if (back !== undefined && percent(back) < percent(below))
        found.problem([...at, kind, 'back'], `back is below ${below}`, 'The trunk comes back at a better ratio.')
    }
    const { pdd, probe } = quality
    if (pdd?.back !== undefined && parseDuration(pdd.back) > parseDuration(pdd.above))
      found.problem([...at, 'pdd', 'back'], `back is above ${pdd.above}`, 'The trunk comes back at a shorter delay.')
    if (probe !== undefined) between(probe, [...at, 'probe'], found)
  }
}

function between(written: string, at: readonly string[], found: Findings): void {
  const value = percent(written)
  if (value < 0 || value > 100) found.problem(at, `${written} is no share of the calls`, 'Write 0% to 100%.')
}
