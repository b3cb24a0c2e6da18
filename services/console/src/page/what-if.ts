import type { ExplainStep } from './api.ts'

const titles: Record<ExplainStep['stage'], string> = {
  source: 'Who calls',
  emergency: 'Is it an emergency call?',
  normalisation: 'Which number is meant?',
  destination: 'Is it one of ours?',
  authorisation: 'May it be called?',
  selection: 'Which trunks, in which order?',
  translation: 'How does each trunk want the numbers?',
}

/** The steps by the stages that the call passes, in their order. */
export function stages(steps: readonly ExplainStep[]): { title: string; steps: ExplainStep[] }[] {
  return (Object.keys(titles) as ExplainStep['stage'][])
    .map((stage) => ({ title: titles[stage], steps: steps.filter((step) => step.stage === stage) }))
    .filter((stage) => stage.steps.length > 0)
}
