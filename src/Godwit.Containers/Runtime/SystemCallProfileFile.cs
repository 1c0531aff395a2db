using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Runtime;

/// <summary>A user's own system call filter, in the form of Docker's profiles: entries may depend on the container's capabilities.</summary>
internal static class SystemCallProfileFile
{
    private const int BytesMax = 1 << 20;

    /// <exception cref="InvalidRequestException">It is no such profile.</exception>
    internal static RuntimeSeccomp Read(string json, IReadOnlyCollection<string> capabilities)
    {
        if (json.Length > BytesMax)
        {
            throw new InvalidRequestException($"the seccomp profile has {json.Length} bytes; at most {BytesMax} are read");
        }

        try
        {
            var profile = JsonSerializer.Deserialize(json, ProfileJson.Default.Profile) ?? throw new InvalidRequestException("the seccomp profile is null");
            return new RuntimeSeccomp
            {
                DefaultAction = profile.DefaultAction ?? throw new InvalidRequestException("the seccomp profile has no defaultAction"),
                DefaultErrnoRet = profile.DefaultErrnoRet,
                Architectures = profile.Architectures ?? SystemCallProfile.Build([]).Architectures,
                Syscalls = [.. (profile.Syscalls ?? []).Where(entry => entry.AppliesTo(capabilities)).Select(entry => entry.ToRuntime())],
            };
        }
        catch (JsonException refusal)
        {
            throw new InvalidRequestException("the seccomp profile is no JSON of a profile", refusal);
        }
    }

    internal sealed record Profile(string? DefaultAction, uint? DefaultErrnoRet, IReadOnlyList<string>? Architectures, IReadOnlyList<Entry>? Syscalls);

    internal sealed record Entry(IReadOnlyList<string>? Names, string? Name, string? Action, uint? ErrnoRet, IReadOnlyList<RuntimeSystemCallArgument>? Args, Condition? Includes, Condition? Excludes)
    {
        internal bool AppliesTo(IReadOnlyCollection<string> capabilities) =>
            (Includes is null || Includes.IsMet(capabilities)) && (Excludes is null || Excludes.IsEmpty || !Excludes.IsMet(capabilities));

        internal RuntimeSystemCalls ToRuntime() => new(Names ?? (Name is null ? [] : [Name]), Action ?? throw new InvalidRequestException("an entry of the seccomp profile has no action"))
        {
            ErrnoRet = ErrnoRet,
            Args = Args is { Count: > 0 } ? Args : null,
        };
    }

    internal sealed record Condition(IReadOnlyList<string>? Caps, IReadOnlyList<string>? Arches)
    {
        private static readonly string[] Names = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture is System.Runtime.InteropServices.Architecture.Arm64
            ? ["arm64", "arm"]
            : ["amd64", "x32", "x86"];

        internal bool IsEmpty => (Caps?.Count ?? 0) + (Arches?.Count ?? 0) == 0;

        internal bool IsMet(IReadOnlyCollection<string> capabilities) =>
            (Caps ?? []).All(capabilities.Contains) && ((Arches?.Count ?? 0) == 0 || Arches!.Any(Names.Contains));
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SystemCallProfileFile.Profile))]
internal sealed partial class ProfileJson : JsonSerializerContext;
