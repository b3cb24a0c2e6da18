import type { Cdr, ListCdrs, Rating, SummariseBilling } from '@tandem/contracts/billing.ts'
import type { LegRecord } from '@tandem/contracts/call.ts'
import type { Answer, Question } from '@tandem/contracts/contract.ts'
import { formatMoney, parseMoney } from '@tandem/money/money.ts'
import type { Database } from '@tandem/store/database.ts'
import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import { cdrOf } from '../domain/price-leg.ts'
import type { SavingsCall } from '../domain/savings.ts'

/** The tables as they are read; NUMERIC and BIGINT are text. */
interface Tables {
  'billing.legs': {
    leg_id: string
    call_id: string
    started_at: Date
    answered: boolean
    duration_ms: string
    trunk: string | null
    user_name: string | null
    cost: string
    cost_currency: string | null
    price: string
    price_currency: string | null
    trace_id: string | null
    record: LegRecord
    cost_rating: Rating
    price_rating: Rating | null
    corrected_at: Date | null
  }
  'billing.ledger': { at: Date; leg_id: string; kind: 'cost' | 'price'; amount: string; currency: string }
  'billing.dead_letters': { letter_id: string }
}

type ListQuestion = Question<typeof ListCdrs>
type Summary = Omit<Answer<typeof SummariseBilling>, 'samples'>

export interface CdrQueries {
  list(question: ListQuestion): Promise<Answer<typeof ListCdrs>>
  summarise(question: { from?: string; to?: string }): Promise<Summary>
  /** Answered trunk legs, in the order of their start; at most `MAX_CALLS`, the newest. */
  calls(question: { from?: string; to?: string }): Promise<SavingsCall[]>
}

/** More than that is no longer held in memory at once. */
const MAX_CALLS = 200_000

const DEFAULT_LIMIT = 100

export function createCdrQueries(database: Pick<Database, 'kysely'>): CdrQueries {
  const db = database.kysely<Tables>()
  return {
    list: async (question) => {
      const limit = question.limit ?? DEFAULT_LIMIT
      const after = question.cursor === undefined ? undefined : readCursor(question.cursor)
      const [rows, counts] = await Promise.all([
        db
          .selectFrom('billing.legs')
          .select(['leg_id', 'trace_id', 'record', 'cost_rating', 'price_rating', 'corrected_at'])
          // PostgreSQL keeps microseconds, a Date does not: the cursor carries the text.
          .select(sql<string>`started_at::text`.as('started_text'))
          .where((eb) => chosen(eb, question))
          .$if(after !== undefined, (query) =>
            query.where(sql<boolean>`(started_at, leg_id) < (${after?.startedAt}::timestamptz, ${after?.legId})`),
          )
          .orderBy('started_at', 'desc')
          .orderBy('leg_id', 'desc')
          .limit(limit + 1)
          .execute(),
        db
          .selectFrom('billing.legs')
          .select((eb) => [eb.fn.countAll<string>().as('legs'), eb.fn.count<string>('call_id').distinct().as('calls')])
          .where((eb) => chosen(eb, question))
          .executeTakeFirstOrThrow(),
      ])
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      return {
        cdrs: page.map(
          (row): Cdr =>
            cdrOf(
              {
                record: row.record,
                traceId: row.trace_id ?? undefined,
                cost: row.cost_rating,
                price: row.price_rating ?? undefined,
              },
              row.corrected_at !== null,
            ),
        ),
        ...(rows.length > limit && last !== undefined ? { next: cursorOf(last.started_text, last.leg_id) } : {}),
        calls: Number(counts.calls),
        legs: Number(counts.legs),
      }
    },
    summarise: (question) => summarise(db, question),
    calls: async (question) => {
      const rows = await db
        .selectFrom('billing.legs')
        .select(['duration_ms', 'started_at'])
        .select([
          sql<string>`coalesce(record->>'to', record->>'sent', record->>'dialled')`.as('number'),
          sql<string | null>`record->>'site'`.as('site'),
        ])
        .where((eb) => eb.and([chosen(eb, question), eb('trunk', 'is not', null), eb('answered', '=', true)]))
        .orderBy('started_at', 'desc')
        .limit(MAX_CALLS)
        .execute()
      return rows.reverse().map((row) => ({
        site: row.site ?? '',
        start: row.started_at.getTime(),
        durationMs: Number(row.duration_ms),
        number: row.number,
      }))
    },
  }
}

type Choice = Pick<ListQuestion, 'from' | 'to' | 'user' | 'trunk' | 'callId'>

function chosen(eb: ExpressionBuilder<Tables, 'billing.legs'>, choice: Choice) {
  const tests = [
    ...(choice.from === undefined ? [] : [sql<boolean>`started_at >= ${choice.from}::timestamptz`]),
    ...(choice.to === undefined ? [] : [sql<boolean>`started_at < ${choice.to}::timestamptz`]),
    // a leg to a trunk names no user: the calls of a user are those in which one of its legs takes part
    ...(choice.user === undefined
      ? []
      : [
          eb('call_id', 'in', (of) =>
            of
              .selectFrom('billing.legs')
              .select('call_id')
              .where('user_name', '=', choice.user as string),
          ),
        ]),
    ...(choice.trunk === undefined ? [] : [eb('trunk', '=', choice.trunk)]),
    ...(choice.callId === undefined ? [] : [eb('call_id', '=', choice.callId)]),
  ]
  return eb.and(tests)
}

/** One snapshot for all sums, so that the ledger can be compared with the legs while more legs come in. */
async function summarise(db: Kysely<Tables>, choice: { from?: string; to?: string }): Promise<Summary> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const { rows } = await sql<{
        trunk: string | null
        currency: string | null
        price_currency: string | null
        legs: string
        answered: string
        ms: string
        cost: string
        price: string
      }>`
        SELECT trunk, cost_currency AS currency, price_currency, count(*) AS legs,
          count(*) FILTER (WHERE answered) AS answered, sum(duration_ms) AS ms, sum(cost) AS cost, sum(price) AS price
        FROM billing.legs
        WHERE (${choice.from ?? null}::timestamptz IS NULL OR started_at >= ${choice.from ?? null}::timestamptz)
          AND (${choice.to ?? null}::timestamptz IS NULL OR started_at < ${choice.to ?? null}::timestamptz)
        GROUP BY 1, 2, 3`.execute(tx)
      const calls = await tx
        .selectFrom('billing.legs')
        .select((eb) => eb.fn.count<string>('call_id').distinct().as('calls'))
        .where((eb) => chosen(eb, choice))
        .executeTakeFirstOrThrow()
      const ledger = await tx
        .selectFrom('billing.ledger')
        .select((eb) => ['currency', eb.fn.sum<string>('amount').as('amount')])
        .where('kind', '=', 'cost')
        .where('leg_id', 'in', (eb) =>
          eb
            .selectFrom('billing.legs')
            .select('leg_id')
            .where((inner) => chosen(inner, choice)),
        )
        .groupBy('currency')
        .execute()
      const letters = await tx
        .selectFrom('billing.dead_letters')
        .select((eb) => eb.fn.countAll<string>().as('letters'))
        .executeTakeFirstOrThrow()

      const trunks = new Map<string, { legs: number; ms: bigint; cost: Sums }>()
      const [cost, price] = [new Sums(), new Sums()]
      let [legs, answeredLegs, ms] = [0, 0, 0n]
      for (const row of rows) {
        legs += Number(row.legs)
        answeredLegs += Number(row.answered)
        ms += BigInt(row.ms)
        cost.add(row.currency, row.cost)
        price.add(row.price_currency, row.price)
        if (row.trunk === null) continue
        const trunk = trunks.get(row.trunk) ?? { legs: 0, ms: 0n, cost: new Sums() }
        trunk.legs += Number(row.legs)
        trunk.ms += BigInt(row.ms)
        trunk.cost.add(row.currency, row.cost)
        trunks.set(row.trunk, trunk)
      }
      const entered = new Sums()
      for (const entry of ledger) entered.add(entry.currency, entry.amount)
      return {
        calls: Number(calls.calls),
        legs,
        answeredLegs,
        minutes: minutes(ms),
        cost: cost.read(),
        price: price.read(),
        ledger: entered.read(),
        byTrunk: [...trunks]
          .map(([trunk, t]) => ({ trunk, legs: t.legs, minutes: minutes(t.ms), cost: t.cost.read() }))
          .sort((a, b) => (a.trunk < b.trunk ? -1 : 1))
          .slice(0, 1000),
        deadLetters: Number(letters.letters),
      }
    })
}

/** Sums by currency; amounts without a currency are nothing, and a sum of nothing is not shown. */
class Sums {
  readonly #sums = new Map<string, bigint>()

  add(currency: string | null, amount: string): void {
    if (currency !== null) this.#sums.set(currency, (this.#sums.get(currency) ?? 0n) + parseMoney(amount))
  }

  read(): Record<string, string> {
    return Object.fromEntries([...this.#sums].filter(([, sum]) => sum !== 0n).map(([c, sum]) => [c, formatMoney(sum)]))
  }
}

/** Minutes with 2 decimals, rounded down. */
function minutes(ms: bigint): string {
  const hundredths = ms / 600n
  return `${hundredths / 100n}.${(hundredths % 100n).toString().padStart(2, '0')}`
}

function cursorOf(startedAt: string, legId: string): string {
  return Buffer.from(`${startedAt}|${legId}`).toString('base64url')
}

function readCursor(cursor: string): { startedAt: string; legId: string } {
  const [startedAt, legId] = Buffer.from(cursor, 'base64url').toString().split('|')
  if (startedAt === undefined || legId === undefined || !/^[0-9 :.+-]{10,40}$/.test(startedAt)) {
    throw new RangeError('the cursor is not one of ours')
  }
  return { startedAt, legId }
}
