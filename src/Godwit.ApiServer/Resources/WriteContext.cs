using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Resources;

/// <summary>What a write is about and who does it.</summary>
internal sealed record WriteContext
{
    public required ServedResource Resource { get; init; }

    public required string Namespace { get; init; }

    public string Name { get; init; } = "";

    public string Subresource { get; init; } = "";

    public required User User { get; init; }

    /// <summary>Everything is checked and nothing is written.</summary>
    public bool DryRun { get; init; }

    public required CancellationToken Stopping { get; init; }

    /// <summary>Under which name the fields that the write sets are kept. The server's own writes have its name.</summary>
    public string FieldManager { get; init; } = "godwit";

    /// <summary>What is done about fields that the kind does not have.</summary>
    public FieldValidation FieldValidation { get; init; }

    /// <summary>Receives advice for the client.</summary>
    public Action<string> Warn { get; init; } = _ => { };

    public string Key => Resource.Key(Namespace, Name);

    public StatusSubject Subject => new(Resource.Definition.Group, Resource.Definition.Plural, Name, Resource.Definition.Kind);

    public static WriteContext Of(ApiRequest request, ServedResource resource) => new()
    {
        Resource = resource,
        Namespace = request.Info.Namespace,
        Name = request.Info.Name,
        Subresource = request.Info.Subresource,
        User = request.User,
        DryRun = request.Query("dryRun") switch
        {
            "" => false,
            "All" => true,
            var other => throw StatusException.BadRequest($"dryRun={other} is not supported: it must be All"),
        },
        FieldManager = FieldManagers.Of(request),
        FieldValidation = FieldValidations.Read(request.Query("fieldValidation")),
        Stopping = request.Stopping,
        Warn = request.Warn,
    };
}
