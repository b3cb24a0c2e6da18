/** How well a trunk carries calls, in one line. */
import type { JudgedTrunk } from '@tandem/contracts/registration.ts'
import { colours } from './colours.ts'
import { clock } from './times.ts'

export function qualityText(quality: JudgedTrunk): string {
  const { demoted, why, since, calls, asr, ner, pddMs } = quality
  if (demoted) return colours.yellow(`demoted${since === undefined ? '' : ` since ${clock(since)}`}: ${why ?? ''}`)
  const figures = [
    asr === undefined ? '' : `ASR ${percent(asr)}`,
    ner === undefined ? '' : `NER ${percent(ner)}`,
    pddMs === undefined ? '' : `PDD ${(pddMs / 1000).toFixed(1)} s`,
  ].filter((figure) => figure !== '')
  return figures.length === 0 ? 'no calls to judge' : `${figures.join(' · ')} of ${calls}`
}

const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`
