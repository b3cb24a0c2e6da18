/** cdrs, savings */
import { writeFileSync } from 'node:fs'
import type { Cdr } from '@tandem/contracts/billing.ts'
import { type Command, Option } from 'commander'
import type { CdrPage } from '../api/resources.ts'
import { Failure } from '../failure.ts'
import { lossText, mosText, roundTripText } from '../print/heard.ts'
import { partyName } from '../print/party.ts'
import { signature, transfer } from '../print/provenance.ts'
import { table } from '../print/table.ts'
import { clock, seconds } from '../print/times.ts'
import { addApiCommand, apiOf, type CommonOptions, print } from './command.ts'

interface CdrOptions extends CommonOptions {
  from?: string
  to?: string
  user?: string
  trunk?: string
  call?: string
  format: 'table' | 'json' | 'csv' | 'parquet'
  output?: string
  most?: string
}

export function addBillingCommands(program: Command): void {
  addApiCommand(
    program,
    'cdrs',
    'leg records with their price, newest first',
    'cdrs --user alice --format csv > calls.csv',
  )
    .option('--from <time>', 'first time of start (RFC 3339)')
    .option('--to <time>', 'end of the time of start')
    .option('--user <user>', 'legs of this user')
    .option('--trunk <trunk>', 'legs over this trunk')
    .option('--call <call>', 'legs of one call')
    .option('--most <number>', 'at most so many legs (default: 100 in a table, else all)')
    .addOption(
      new Option('--format <format>', 'how to print').choices(['table', 'json', 'csv', 'parquet']).default('table'),
    )
    .option('--output <file>', 'write into a file (parquet needs it)')
    .action(cdrs)
  addApiCommand(program, 'savings', 'the same calls priced several ways', 'savings').action(savings)
}

async function cdrs(options: CdrOptions): Promise<void> {
  const format = options.json ? 'json' : options.format
  if (format === 'parquet' && !options.output) throw new Failure('Parquet is not text', 'Add --output calls.parquet')
  const most = options.most ? Number(options.most) : format === 'table' ? 100 : Number.POSITIVE_INFINITY
  const { from, to, user, trunk, call: callId } = options
  const rows: Cdr[] = []
  let total = { calls: 0, legs: 0 }
  const query = { from, to, user, trunk, callId, limit: Math.min(most, 1000) }
  for await (const page of apiOf(options).pages<CdrPage>('/cdrs', query)) {
    if (rows.length === 0) total = { calls: page.calls, legs: page.legs }
    rows.push(...page.cdrs)
    if (rows.length >= most) break
  }
  const shown = rows.slice(0, most)
  const out = await render(format, shown, total)
  if (options.output) writeFileSync(options.output, out)
  else process.stdout.write(`${String(out).trimEnd()}\n`)
}

async function render(
  format: CdrOptions['format'],
  rows: Cdr[],
  total: { calls: number; legs: number },
): Promise<string | Uint8Array> {
  if (format === 'json') return JSON.stringify({ ...total, cdrs: rows }, null, 2)
  if (format === 'csv') {
    const { stringify } = await import('csv-stringify/sync')
    return stringify(rows.map(flat), { header: true, columns: Object.keys(COLUMNS), cast: { boolean: String } })
  }
  if (format === 'parquet') return await parquet(rows)
  const rest = rows.length < total.legs ? ` (${rows.length} shown, --most shows more)` : ''
  return `${cdrTable(rows)}\n${total.calls} calls, ${total.legs} legs${rest}`
}

export function cdrTable(rows: readonly Cdr[]): string {
  const signed = rows.some((c) => signature(c) !== '')
  const transferred = rows.some((c) => transfer(c) !== '')
  return table<Cdr>(
    [
      { head: 'call', value: (c) => c.callId },
      { head: 'started', value: (c) => clock(c.startedAt) },
      { head: 'leg', value: (c) => `${c.role} ${partyName(c.party)}` },
      { head: 'from', value: (c) => c.from },
      { head: 'to', value: (c) => c.to ?? c.dialled },
      { head: 'status', value: (c) => c.sipStatus, align: 'right' },
      { head: 'talked', value: (c) => seconds(c.durationMs), align: 'right' },
      // billing.md B5: nobody saw its end; or it was seen after an estimate had been priced
      { head: 'end', value: (c) => (c.corrected ? 'corrected' : c.estimated ? 'estimated' : c.endedBy) },
      ...(signed ? [{ head: 'signed', value: signature }] : []),
      ...(transferred ? [{ head: 'transfer', value: transfer }] : []),
      { head: 'loss', value: (c) => lossText(c.media), align: 'right' },
      { head: 'RTT', value: (c) => roundTripText(c.media), align: 'right' },
      { head: 'MOS', value: (c) => mosText(c.media), align: 'right' },
      { head: 'rating', value: (c) => c.cost.kind },
      { head: 'cost', value: (c) => amount(c.cost), align: 'right' },
      { head: 'price', value: (c) => (c.price ? amount(c.price) : ''), align: 'right' },
    ],
    rows,
  )
}

function amount(rating: Cdr['cost']): string {
  return `${rating.amount}${rating.currency ? ` ${rating.currency}` : ''}`
}

/** Columns of CSV and Parquet; money and durations stay exact: text and whole milliseconds. */
const COLUMNS = {
  callId: 'STRING',
  legId: 'STRING',
  role: 'STRING',
  party: 'STRING',
  user: 'STRING',
  costCentre: 'STRING',
  from: 'STRING',
  dialled: 'STRING',
  to: 'STRING',
  emergency: 'BOOLEAN',
  attempt: 'INT32',
  startedAt: 'STRING',
  answeredAt: 'STRING',
  endedAt: 'STRING',
  durationMs: 'DOUBLE',
  setupMs: 'DOUBLE',
  sipStatus: 'INT32',
  endedBy: 'STRING',
  reason: 'STRING',
  codec: 'STRING',
  referredBy: 'STRING',
  joined: 'STRING',
  attestation: 'STRING',
  verstat: 'STRING',
  receivedLossPercent: 'DOUBLE',
  receivedJitterMs: 'DOUBLE',
  receivedMos: 'DOUBLE',
  sentLossPercent: 'DOUBLE',
  sentJitterMs: 'DOUBLE',
  sentMos: 'DOUBLE',
  mosModel: 'STRING',
  roundTripMs: 'DOUBLE',
  estimated: 'BOOLEAN',
  corrected: 'BOOLEAN',
  rating: 'STRING',
  cost: 'STRING',
  currency: 'STRING',
  deck: 'STRING',
  prefix: 'STRING',
  billedSeconds: 'INT32',
  price: 'STRING',
  traceId: 'STRING',
} as const

type Flat = Record<keyof typeof COLUMNS, string | number | boolean | null>

function flat(c: Cdr): Flat {
  return {
    callId: c.callId,
    legId: c.legId,
    role: c.role,
    party: partyName(c.party),
    user: c.user ?? null,
    costCentre: c.costCentre ?? null,
    from: c.from,
    dialled: c.dialled,
    to: c.to ?? null,
    emergency: c.emergency,
    attempt: c.attempt,
    startedAt: c.startedAt,
    answeredAt: c.answeredAt ?? null,
    endedAt: c.endedAt,
    durationMs: c.durationMs,
    setupMs: c.setupMs ?? null,
    sipStatus: c.sipStatus,
    endedBy: c.endedBy,
    reason: c.reason ?? null,
    codec: c.codec ?? null,
    referredBy: c.referredBy ?? null,
    joined: c.joined ?? null,
    attestation: c.attestation ?? null,
    verstat: c.verstat ?? null,
    ...heard(c.media),
    estimated: c.estimated,
    corrected: c.corrected ?? false,
    rating: c.cost.kind,
    cost: c.cost.amount,
    currency: c.cost.currency ?? null,
    deck: c.cost.deck ?? null,
    prefix: c.cost.prefix ?? null,
    billedSeconds: c.cost.billedSeconds ?? null,
    price: c.price?.amount ?? null,
    traceId: c.traceId ?? null,
  }
}

type Heard = Pick<Flat, Extract<keyof Flat, `received${string}` | `sent${string}`> | 'mosModel' | 'roundTripMs'>

function heard(media: Cdr['media']): Heard {
  const { received, sent } = media ?? {}
  return {
    receivedLossPercent: received?.lossPercent ?? null,
    receivedJitterMs: received?.jitterMs ?? null,
    receivedMos: received?.mos ?? null,
    sentLossPercent: sent?.lossPercent ?? null,
    sentJitterMs: sent?.jitterMs ?? null,
    sentMos: sent?.mos ?? null,
    mosModel: sent?.mosModel ?? received?.mosModel ?? null,
    roundTripMs: media?.roundTripMs ?? null,
  }
}

async function parquet(rows: Cdr[]): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer')
  const records = rows.map(flat)
  const columnData = Object.entries(COLUMNS).map(([name, type]) => ({
    name,
    type,
    nullable: true,
    data: records.map((r) => r[name as keyof Flat]),
  }))
  return new Uint8Array(parquetWriteBuffer({ columnData }))
}

interface Savings {
  currency: string
  ways: { name: string; monthly: string; explanation: string }[]
  inputs: Record<string, string>
}

async function savings(options: CommonOptions): Promise<void> {
  const shown = await apiOf(options).get<Savings>('/billing/savings')
  print(options, shown, () =>
    [
      table<Savings['ways'][number]>(
        [
          { head: 'way', value: (w) => w.name },
          { head: `a month, ${shown.currency}`, value: (w) => w.monthly, align: 'right' },
          { head: 'how', value: (w) => w.explanation },
        ],
        shown.ways,
      ),
      ...Object.entries(shown.inputs).map(([name, value]) => `  ${name} = ${value}`),
    ].join('\n'),
  )
}
