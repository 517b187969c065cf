/** The exact bodies of the demo's two routes. */
export const forAll = "All good. You don't need to be authenticated to call this"
export const forSome = "All good. You only get this message if you're authenticated"
