/** The exact response bodies of the demo's routes. */
export const publicBody = "All good. You don't need to be authenticated to call this"
export const securedBody = "All good. You only get this message if you're authenticated"
