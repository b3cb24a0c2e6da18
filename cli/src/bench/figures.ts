/** The figures of a measurement beside those of its peer: a JSON object a line for programs, a table for people. */
import { cpus, loadavg, release, totalmem } from 'node:os'
import { table } from '../print/table.ts'
import { median } from './round.ts'

/** A line of `tandem bench … --json`. */
export interface Figure {
  name: string
  value: number | null
  unit: string
  peer: number | null
  /** value / peer */
  ratio: number | null
}

/** What is compared of rounds. */
export interface Measure<Round> {
  name: string
  unit: string
  digits: number
  of(round: Round): number
}

export function figure(name: string, unit: string, digits: number, value: number | null, peer: number | null): Figure {
  const round = (n: number | null, to: number) => (n === null || !Number.isFinite(n) ? null : Number(n.toFixed(to)))
  const ratio = value !== null && peer !== null && peer > 0 ? value / peer : null
  return { name, value: round(value, digits), unit, peer: round(peer, digits), ratio: round(ratio, 2) }
}

/** Of rounds that were played; null: none was. */
export function middle<Round>({ of }: Measure<Round>, rounds: readonly Round[]): number | null {
  return rounds.length === 0 ? null : median(rounds.map(of))
}

/** `1.20 / 3.45`; nothing of nothing. */
export function leastAndMost(values: readonly number[], digits: number): string {
  return values.length === 0 ? '' : `${Math.min(...values).toFixed(digits)} / ${Math.max(...values).toFixed(digits)}`
}

/** The first figures are those of the measures, in the same order: they are shown with their spread. */
export function compared<Round>(
  figures: readonly Figure[],
  measures: readonly Measure<Round>[],
  [own, peer]: readonly [Side<Round>, Side<Round> | null],
): string {
  const rows = figures.map((each, i) => {
    const measure = measures[i]
    const of = (side: Side<Round> | null) =>
      measure && side ? leastAndMost(side.rounds.map(measure.of), measure.digits) : ''
    return { ...each, own: of(own), peerSpread: of(peer) }
  })
  type Row = (typeof rows)[number]
  const right = 'right' as const
  return table(
    [
      { head: '', value: (r: Row) => r.name.replace(/^[a-z]+: /, '') },
      { head: own.name, value: (r: Row) => r.value ?? 'none', align: right },
      { head: 'min / max', value: (r: Row) => r.own, align: right },
      ...(peer === null
        ? []
        : [
            { head: peer.name, value: (r: Row) => r.peer ?? 'none', align: right },
            { head: 'min / max', value: (r: Row) => r.peerSpread, align: right },
            { head: 'ratio', value: (r: Row) => r.ratio?.toFixed(2), align: right },
          ]),
      { head: 'unit', value: (r: Row) => r.unit },
    ],
    rows,
  )
}

export interface Side<Round> {
  name: string
  rounds: readonly Round[]
}

export function machine(): string {
  const [first] = cpus()
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  const load = loadavg()[0]?.toFixed(1)
  return `${cpus().length} × ${first?.model.trim()}, ${gib} GiB, Linux ${release()}, Node ${process.versions.node}, load ${load}`
}
