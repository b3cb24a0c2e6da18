import Type from 'typebox'

export const Why = Type.String({ maxLength: 2048, description: 'goes into the history' })

/** The body of a request to plan or apply a configuration. */
export const ProposalSchema = Type.Object({
  source: Type.Array(
    Type.Object({ path: Type.String({ maxLength: 1024 }), text: Type.String({ maxLength: 32_000_000 }) }),
    { minItems: 1, maxItems: 1000 },
  ),
  decks: Type.Optional(Type.Record(Type.String({ maxLength: 1024 }), Type.String({ maxLength: 64_000_000 }))),
  why: Type.Optional(Why),
  dryRun: Type.Optional(Type.Boolean()),
})
