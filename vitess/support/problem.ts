// The one error whose message is meant for the person at the terminal: a sentence on what is wrong and what to do.

export class ClusterProblem extends Error {}
