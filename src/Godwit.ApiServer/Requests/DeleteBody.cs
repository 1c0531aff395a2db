using System.Text.Json;
using Godwit.Api;
using Godwit.Api.Kinds;
using Godwit.Api.Meta.V1;

namespace Godwit.ApiServer.Requests;

/// <summary>How a DELETE is to be done: a DeleteOptions body, the same as query parameters, or nothing.</summary>
internal static class DeleteBody
{
    private static readonly ResourceType Type = new("", "v1", "DeleteOptions", "deleteoptions", Namespaced: false);
    private static readonly string[] Policies = [PropagationPolicies.Background, PropagationPolicies.Foreground, PropagationPolicies.Orphan];

    public static async Task<DeleteOptions> ReadAsync(ApiRequest request)
    {
        var bytes = await BodyReader.ReadBytesAsync(request);
        var options = bytes.Length == 0 ? new DeleteOptions() : Read(BodyReader.ToObject(request, bytes, Type, BuiltInKinds.DeleteOptions));
        if (request.Query("gracePeriodSeconds").Length > 0)
        {
            options = options with { GracePeriodSeconds = request.QueryNumber("gracePeriodSeconds") };
        }

        if (request.Query("propagationPolicy") is { Length: > 0 } policy)
        {
            options = options with { PropagationPolicy = policy };
        }

        return Check(options);
    }

    private static DeleteOptions Read(JsonBody body)
    {
        try
        {
            return GodwitJson.FromNode<DeleteOptions>(body.Value);
        }
        catch (JsonException error)
        {
            throw StatusException.BadRequest($"the body is not a DeleteOptions: {error.Path} has the wrong type", error);
        }
    }

    private static DeleteOptions Check(DeleteOptions options)
    {
        if (options.GracePeriodSeconds < 0)
        {
            throw StatusException.BadRequest("gracePeriodSeconds must be 0 or more");
        }

        var policy = options.PropagationPolicy ?? (options.OrphanDependents == true ? PropagationPolicies.Orphan : PropagationPolicies.Background);
        return Policies.Contains(policy)
            ? options with { PropagationPolicy = policy }
            : throw StatusException.BadRequest($"propagationPolicy={policy} is not one of {string.Join(", ", Policies)}");
    }
}
