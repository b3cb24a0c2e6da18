/** What a newcomer wants to see after the calls: a ladder, and the priced CDRs. */

import { cdrTable } from '../commands/billing.ts'
import { colours } from '../print/colours.ts'
import { readCdrs } from './bill.ts'
import type { Stage } from './stage.ts'

export async function showWhatWasSeen(stage: Stage, failed: string[]): Promise<void> {
  const first = [...stage.calls.keys()][0]
  if (first !== undefined) {
    console.log(`\n${colours.bold('The ladder of the first call')}  (npx tandem ladder ${first})`)
    console.log(
      indent(await stage.api.text(`/calls/${first}/ladder`, { format: 'text' }).catch((e: Error) => e.message)),
    )
  }
  const cdrs = await readCdrs(stage).catch(() => [])
  if (cdrs.length > 0) {
    console.log(`\n${colours.bold('The CDRs, priced')}  (npx tandem cdrs)`)
    console.log(indent(cdrTable(cdrs)))
  }
  console.log(
    failed.length === 0
      ? `\n${colours.green('✓')} everything happened as it should`
      : `\n${colours.red('✗')} did not happen as it should: step ${failed.join(', ')}`,
  )
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '   ')
}
