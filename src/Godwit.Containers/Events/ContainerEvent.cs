namespace Godwit.Containers;

/// <summary>Something that happened.</summary>
/// <param name="Kind"><c>container</c>, <c>network</c> or <c>volume</c>.</param>
/// <param name="Action">In Docker's words: <c>create</c>, <c>start</c>, <c>die</c>, …</param>
/// <param name="Attributes">Name, image, labels, and what the action adds (<c>exitCode</c>, <c>signal</c>).</param>
public sealed record ContainerEvent(DateTimeOffset At, string Kind, string Action, string Id, IReadOnlyDictionary<string, string> Attributes);
