using Godwit.Base;
using Godwit.Builder;
using Godwit.Containers;
using Godwit.Images;
using Godwit.Networks.Containers;
using Godwit.Volumes;

namespace Godwit.DockerApi.Serving;

/// <summary>A request that this layer refuses, with its status code.</summary>
internal sealed class DockerException(int status, string words, Exception? cause = null) : Exception(words, cause)
{
    public int Status { get; } = status;

    public static DockerException Invalid(string words, Exception? cause = null) => new(400, words, cause);

    public static DockerException NotThere(string words) => new(404, words);

    public static DockerException Conflict(string words) => new(409, words);

    /// <summary>A part of Docker that is not here, by its name.</summary>
    public static DockerException NotSupported(string what) => new(501, $"{what} is not supported by godwit");
}

/// <summary>The one place where errors become status codes and words: clients match on both.</summary>
internal static class DockerErrors
{
    /// <summary>The answer to a request that failed so; a null text has no body.</summary>
    public static (int Status, string? Words) Describe(Exception error) => error switch
    {
        DockerException own => (own.Status, ErrorChain.Describe(own)),
        NothingToDoException => (304, null),
        NotThereException missing => (404, missing.Message),
        ConflictException conflict => (409, ErrorChain.Describe(conflict)),
        InvalidRequestException invalid => (400, ErrorChain.Describe(invalid)),
        ContainerStartException start => (StartStatus(start.Code), StartWords(start)),
        BuildException build => (build.ExitCode is null ? 400 : 500, ErrorChain.Describe(build)),
        ImageException image => (ImageStatus(image.Kind), ErrorChain.Describe(image)),
        NetworkException { IsMissing: true } network => (404, network.Message),
        NetworkException network => (network.IsInvalid ? 400 : 409, ErrorChain.Describe(network)),
        VolumeException volume => (volume.IsMissing ? 404 : volume.IsInUse ? 409 : 400, ErrorChain.Describe(volume)),
        Microsoft.AspNetCore.Http.BadHttpRequestException bad => (bad.StatusCode, bad.Message),
        _ => (500, ErrorChain.Describe(error)),
    };

    /// <summary>Whether the fault is the engine's, so that its log must tell.</summary>
    public static bool IsOurs(int status) => status is 500;

    // The CLI exits with 126 or 127 by the words it finds, and with 125 for all else.
    private static int StartStatus(int code) => code is 126 or 127 ? 400 : 500;

    private static string StartWords(ContainerStartException start)
    {
        var words = ErrorChain.Describe(start);
        return start.Code switch
        {
            127 when !Says(words, "executable file not found", "no such file or directory") => $"{words}: executable file not found in $PATH",
            126 when !Says(words, "permission denied", "is a directory") => $"{words}: permission denied",
            _ => words,
        };
    }

    private static bool Says(string words, params ReadOnlySpan<string> parts)
    {
        foreach (var part in parts)
        {
            if (words.Contains(part, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static int ImageStatus(ImageErrorKind kind) => kind switch
    {
        ImageErrorKind.NotFound => 404,
        ImageErrorKind.Conflict => 409,
        ImageErrorKind.Invalid or ImageErrorKind.Corrupt => 400,
        ImageErrorKind.Unauthorized => 401,
        _ => 500,
    };
}
