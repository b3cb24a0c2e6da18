/** Step g: every leg has its CDR, priced, and the sums agree. */
import type { Cdr, UsageSample } from '@tandem/contracts/billing.ts'
import { add, formatMoney, type Money, parseMoney } from '@tandem/money/money.ts'
import type { CallView, CdrPage } from '../api/resources.ts'
import { partyName } from '../print/party.ts'
import { eventually, type Stage, type Step } from './stage.ts'

interface Summary {
  legs: number
  cost: Record<string, string>
  ledger: Record<string, string>
  samples: UsageSample[]
  deadLetters: number
}

export const bill: Step = {
  letter: 'g',
  title: 'every leg has its CDR, priced',
  async play(stage, saw) {
    const wanted = await legsSeen(stage)
    const { value: cdrs } = await eventually(`CDRs of ${wanted.size} legs`, 20_000, async () => {
      const rows = await readCdrs(stage)
      const have = new Set(rows.map((c) => c.legId))
      return [...wanted].every((leg) => have.has(leg)) ? rows : undefined
    })
    const once = new Set(cdrs.map((c) => c.legId)).size === cdrs.length
    saw(
      `${stage.calls.size} calls, ${wanted.size} legs: each has one CDR`,
      once && cdrs.length === wanted.size,
      `${cdrs.length} CDRs`,
    )

    const users = cdrs.filter((c) => c.party.kind === 'user')
    saw(
      `${users.length} user legs cost 0`,
      users.every((c) => parseMoney(c.cost.amount) === 0n),
      list(users),
    )
    const answered = (trunk: string) =>
      cdrs.filter(
        (c) => c.party.kind === 'trunk' && c.party.trunk === trunk && c.answeredAt !== undefined && !c.emergency,
      )
    const a = answered('itsp-a')
    saw(
      `${a.length} answered legs of itsp-a are priced per minute`,
      a.length > 0 && a.every((c) => c.cost.kind === 'per-minute'),
      list(a),
    )
    const help = cdrs.filter((c) => c.emergency && c.party.kind === 'trunk')
    saw(
      `the emergency call costs nothing`,
      help.length > 0 && help.every((c) => parseMoney(c.cost.amount) === 0n),
      list(help),
    )
    const b = answered('itsp-b')
    saw(
      `${b.length} answered legs of itsp-b count into its bandwidth`,
      b.length > 0 && b.every((c) => c.cost.kind === 'bandwidth'),
      list(b),
    )

    const summary = await stage.api.get<Summary>('/billing/summary', { from: stage.since, closePartial: true })
    const sample = summary.samples.find((s) => s.trunk === 'itsp-b' && s.partial)
    saw(
      `the open 5-minute sample of itsp-b is closed as partial: ${sample?.bytesIn} bytes in, ${sample?.bytesOut} out, ${sample?.kbits.toFixed(1)} kbit/s`,
      sample !== undefined && sample.bytesIn > 0 && sample.bytesOut > 0,
      JSON.stringify(summary.samples),
    )
    const sum = formatMoney(cdrs.map((c) => parseMoney(c.cost.amount)).reduce(add, 0n as Money), 4)
    const stated = [summary.cost.USD, summary.ledger.USD].map((m) => formatMoney(parseMoney(m ?? '0'), 4))
    saw(
      `the sums agree: ${sum} USD by the CDRs, by the summary and by the ledger`,
      stated.every((m) => m === sum),
      `summary ${stated[0]}, ledger ${stated[1]}, CDRs ${sum}`,
    )
    saw('no record was set aside', summary.deadLetters === 0, `${summary.deadLetters} were`)
  },
}

/** Ids of all legs of the calls of this run, as the console saw them. */
async function legsSeen(stage: Stage): Promise<Set<string>> {
  const { value: views } = await eventually('the end of all calls', 5000, async () => {
    const { calls } = await stage.api.get<{ calls: CallView[] }>('/calls', { limit: 100 })
    const ours = calls.filter((c) => stage.calls.has(c.callId))
    return ours.length === stage.calls.size && ours.every((c) => c.state === 'ended') ? ours : undefined
  })
  return new Set(views.flatMap((c) => c.legs.map((l) => l.legId)))
}

export async function readCdrs(stage: Stage): Promise<Cdr[]> {
  const rows: Cdr[] = []
  for await (const page of stage.api.pages<CdrPage>('/cdrs', { from: stage.since })) rows.push(...page.cdrs)
  return rows.filter((c) => stage.calls.has(c.callId)).reverse()
}

function list(cdrs: readonly Cdr[]): string {
  return cdrs.map((c) => `${partyName(c.party)} ${c.cost.kind} ${c.cost.amount}`).join(', ') || 'none'
}
