import type { Bus } from '@tandem/bus/bus.ts'
import { checkConfiguration } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { placeOf } from '@tandem/config/place.ts'
import { deckFiles, type Revision, writeRevision } from '@tandem/config/revision.ts'
import { RehearseConfiguration } from '@tandem/contracts/routing.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { configurationDiff } from '../../domain/configuration-diff.ts'
import { decksToRehearse } from '../../domain/rehearsal.ts'
import type { ConfigStore } from '../config-store.ts'
import { Problem } from '../problem.ts'

const Proposal = Type.Object({
  source: Type.Array(
    Type.Object({ path: Type.String({ maxLength: 1024 }), text: Type.String({ maxLength: 4_000_000 }) }),
    { minItems: 1, maxItems: 1000 },
  ),
  decks: Type.Optional(Type.Record(Type.String({ maxLength: 1024 }), Type.String({ maxLength: 8_000_000 }))),
  why: Type.Optional(Type.String({ maxLength: 2048 })),
  dryRun: Type.Optional(Type.Boolean()),
})
interface ProposalBody {
  source: { path: string; text: string }[]
  decks?: Record<string, string>
  why?: string
  dryRun?: boolean
}

export function configRoutes(app: FastifyInstance, { bus, store }: { bus: Bus; store: ConfigStore }): void {
  app.get('/api/v1/config', { schema: { summary: 'The running configuration and its history' } }, async () => {
    const current = store.current()
    if (!current) throw new Problem(404, 'No configuration', 'nothing is applied yet: tandem apply FILE')
    const { revision, by, at, why, source } = current.revision
    return { revision, by, at, why, source, history: await store.list() }
  })
  app.post(
    '/api/v1/config/plan',
    {
      config: { need: 'operate' },
      schema: { summary: 'What a configuration would change; runs its stored test cases', body: Proposal },
    },
    async (request) => plan(bus, store, request.body as ProposalBody),
  )
  app.post(
    '/api/v1/config/apply',
    {
      config: { need: 'administer' },
      schema: {
        summary: 'Make a configuration the running one; refused when a stored test case fails',
        body: Proposal,
      },
    },
    async (request) => {
      const body = request.body as ProposalBody
      const planned = await plan(bus, store, body)
      const failed = planned.tests.filter((t) => !t.passed)
      if (failed.length > 0)
        throw new Problem(422, 'Test cases fail', failed.map((t) => t.detail).join('; '), { plan: planned })
      if (body.dryRun) return { applied: false, ...planned }
      const done = await store.apply({
        by: request.caller?.name ?? 'unknown',
        why: body.why ?? '',
        source: body.source,
        decks: body.decks ?? {},
      })
      if (done.kind === 'raced')
        throw new Problem(409, 'Somebody was faster', 'another configuration was applied meanwhile; plan again')
      return { applied: true, revision: done.revision.revision, ...planned }
    },
  )
  app.post(
    '/api/v1/config/rollback',
    {
      config: { need: 'administer' },
      schema: {
        summary: 'Bring an earlier revision back',
        body: Type.Object({ revision: Type.Optional(Type.Integer({ minimum: 1 })) }),
      },
    },
    async (request) => {
      const current = store.current()?.revision.revision ?? 0
      const wanted = (request.body as { revision?: number }).revision ?? current - 1
      const old = await store.get(wanted)
      if (!old)
        throw new Problem(404, 'No such revision', `there is no revision ${wanted}; GET /api/v1/config lists them`)
      const done = await store.apply(
        { by: request.caller?.name ?? 'unknown', why: `rollback to ${wanted}`, source: old.source, decks: old.decks },
        wanted,
      )
      if (done.kind === 'raced')
        throw new Problem(409, 'Somebody was faster', 'another configuration was applied meanwhile')
      return { applied: true, revision: done.revision.revision, rollbackOf: wanted }
    },
  )
}

interface Planned {
  changes: ReturnType<typeof configurationDiff>
  warnings: unknown[]
  tests: { index: number; passed: boolean; detail: string }[]
}

async function plan(bus: Bus, store: ConfigStore, body: ProposalBody): Promise<Planned> {
  const checked = checkConfiguration({ files: body.source })
  if (checked.kind === 'bad')
    throw new Problem(422, 'Configuration is wrong', `${checked.problems.length} problem(s)`, {
      problems: checked.problems,
    })
  const missing = deckFiles(checked.configuration).filter((f) => body.decks?.[f] === undefined)
  if (missing.length > 0)
    throw new Problem(422, 'Rate deck missing', `send the text of ${missing.join(', ')} in "decks"`, { missing })
  const { decks, left } = decksToRehearse(checked.configuration, body.decks ?? {})
  const candidate: Revision = {
    revision: (store.current()?.revision.revision ?? 0) + 1,
    by: 'plan',
    at: new Date().toISOString(),
    why: 'plan',
    source: body.source,
    decks,
  }
  const tests = await rehearse(bus, candidate)
  return {
    changes: configurationDiff(store.current()?.configuration, checked.configuration),
    warnings: [...checked.warnings, ...left.map((file) => tooLarge(checked.configuration, file, body.source))],
    tests,
  }
}

function tooLarge({ rateDecks }: Configuration, file: string, source: ProposalBody['source']) {
  const [name = file] = Object.entries(rateDecks).find(([, d]) => d.kind === 'per-minute' && d.file === file) ?? []
  return {
    ...placeOf(source, ['rateDecks', name, 'file']),
    path: `rateDecks.${name}.file`,
    message: `${file} is too large to be sent to the rehearsal`,
    instead: 'The test cases ran without its prices; apply uses them.',
  }
}

/** The router is asked a few times: at the very first start it may still be on its way. */
async function rehearse(bus: Bus, candidate: Revision): Promise<Planned['tests']> {
  const revision = Buffer.from(writeRevision(candidate)).toString('utf8')
  for (let tries = 0; ; tries++) {
    const asked = await bus.ask(RehearseConfiguration, { revision })
    if (asked.kind === 'answer') return asked.answer.outcomes
    if (asked.kind === 'refused') throw new Problem(502, 'Test cases did not run', `routing refused: ${asked.why}`)
    if (tries === 20)
      throw new Problem(
        503,
        'Test cases did not run',
        'routing does not answer, so nothing is applied; look at "tandem status"',
      )
    await new Promise((done) => setTimeout(done, 250))
  }
}
