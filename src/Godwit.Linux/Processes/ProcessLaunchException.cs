namespace Godwit.Linux.Processes;

/// <summary>A program that did not come to run, with what it, or the programs before it, said.</summary>
public sealed class ProcessLaunchException(string program, string words) : Exception($"cannot start {program}: {words}");
