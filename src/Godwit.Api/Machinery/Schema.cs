namespace Godwit.Api.Machinery;

/// <summary>The shape of a JSON value. Placeholder of the machinery that the next commits fill.</summary>
public sealed record Schema;
